//! Promise: a purge deletes what it was told, after it was asked twice, and says how many.

use crate::letters::{letter, run};

#[test]
fn a_purge_needs_a_filter_and_a_yes_and_takes_what_is_done_with() {
    run(async |env| {
        let letters: Vec<_> = (0..40)
            .map(|n| {
                let topic = if n < 30 { "purged/m/data" } else { "purged/elsewhere" };
                letter(topic, &format!("{{\"power_w\":{n}}}"), n * 60)
            })
            .collect();
        env.store(&letters).await;
        let route = "[[routes]]\nfilter = \"purged/+/data\"\ndecoder = \"wattline-json\"\n";
        assert_eq!(env.replay("purged", &env.routes("purged.toml", route))["replayed"], 30);

        let said = env.command(&["purge", "--yes"]);
        assert!(!said.ok && said.error.contains("needs a filter"), "{said:?}");
        let said = env.command(&["purge", "--state", "open", "--yes"]);
        assert!(!said.ok && said.error.contains("needs a filter"), "{said:?}");
        let said = env.command(&["purge", "--topic", "purged/#"]);
        assert!(!said.ok && said.error.contains("30 letters") && said.error.contains("--yes"), "{said:?}");
        assert_eq!(env.states("purged").await.values().sum::<i64>(), 40);

        // The older half; then what is left of those that are done with; open ones only when they are meant.
        let said = env.command(&["purge", "--topic", "purged/#", "--until", "2026-11-20T10:15:00Z", "--yes"]);
        assert!(said.ok && said.out == "deleted 15 letters\n", "{said:?}");
        let deleted = env.json(&["purge", "--topic", "purged/#", "--yes"]);
        assert_eq!(deleted, [serde_json::json!({"deleted": 15})]);
        assert_eq!(env.states("purged").await, [("open".to_owned(), 10)].into());
        let said = env.command(&["purge", "--topic", "purged/#", "--state", "open", "--yes"]);
        assert_eq!(said.out, "deleted 10 letters\n");
        assert_eq!(env.states("purged").await, [].into());
    });
}
