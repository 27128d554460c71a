//! Promise: a dead letter is found by what is known of it, counted, and shown whole.

use serde_json::json;
use wattline_reading::DeadLetter;

use crate::letters::{Env, letter, run};

/// Five letters of each of two devices, a minute apart; one of another reason.
async fn store(env: &Env, test: &str) {
    let mut letters: Vec<DeadLetter> = (0..10)
        .map(|n| letter(&format!("{test}/dev_{}/SENSOR", n % 2), &format!("{{\"n\":{n}}}"), n * 60))
        .collect();
    letters.push(DeadLetter {
        reason: "malformed".to_owned(),
        detail: "expected a value, line 1 column 2".to_owned(),
        route: Some("a%b/+".to_owned()),
        retained: true,
        ..letter(&format!("{test}/dev_1/STATE"), "{", 700)
    });
    env.store(&letters).await;
}

#[test]
fn filters_choose_letters() {
    run(async |env| {
        store(env, "filters").await;
        let list = |arguments: &[&str]| env.json(&[&["list"], arguments].concat()).len();
        for (arguments, expected) in [
            (&["--topic", "filters/#"][..], 11),
            (&["--topic", "filters/+/SENSOR"], 10),
            (&["--topic", "filters/dev_1/+"], 6),
            (&["--topic", "filters/dev%/+"], 0),
            (&["--topic", "filters/dev_1"], 0),
            (&["--topic", "filters"], 0),
            (&["--topic", "filters/dev_1/STATE/#"], 1),
            (&["--topic", "filters/#", "--reason", "malformed"], 1),
            (&["--topic", "filters/#", "--reason", "malformed,no_route"], 11),
            (&["--topic", "filters/#", "--route", "a%b/+"], 1),
            (&["--topic", "filters/#", "--route", "a%b"], 0),
            (&["--topic", "filters/#", "--since", "2026-11-20T10:05:00Z"], 6),
            (&["--topic", "filters/#", "--until", "2026-11-20T10:05:00Z"], 5),
            (
                &[
                    "--topic",
                    "filters/#",
                    "--since",
                    "2026-11-20T10:01:00Z",
                    "--until",
                    "2026-11-20T10:03:00Z",
                ],
                2,
            ),
            (&["--topic", "filters/#", "--since", "0s"], 0),
            (&["--topic", "filters/#", "--limit", "3"], 3),
            (&["--topic", "filters/#", "--state", "replayed"], 0),
            (&["--topic", "filters/#", "--state", "any"], 11),
        ] {
            assert_eq!(list(arguments), expected, "{arguments:?}");
        }
    });
}

#[test]
fn a_list_begins_with_the_newest_and_says_that_there_is_more() {
    run(async |env| {
        store(env, "listed").await;
        let said = env.command(&["list", "--topic", "listed/#", "--limit", "2"]);
        assert!(said.ok && said.error.contains("--limit"), "{said:?}");
        let lines: Vec<&str> = said.out.lines().collect();
        assert_eq!(lines.len(), 3, "{said:?}");
        assert!(lines[0].starts_with("KEY ") && lines[0].ends_with("WHAT IS WRONG"), "{said:?}");
        for word in
            ["wattline.dead-letters.v1/", "2026-11-20T10:11:40Z", "open", "malformed", "listed/dev_1/STATE"]
        {
            assert!(lines[1].contains(word), "{word}: {said:?}");
        }
        assert!(lines[2].contains("2026-11-20T10:09:00Z"), "{said:?}");
    });
}

#[test]
fn letters_are_counted_by_what_they_have_in_common() {
    run(async |env| {
        store(env, "counted").await;
        let counts = env.json(&["count", "--topic", "counted/#", "--by", "reason,topic,route"]);
        let expected = json!([
            {"count": 5, "reason": "no_route", "topic": "counted/dev_0/SENSOR", "route": null,
             "oldest": "2026-11-20T10:00:00Z", "newest": "2026-11-20T10:08:00Z"},
            {"count": 5, "reason": "no_route", "topic": "counted/dev_1/SENSOR", "route": null,
             "oldest": "2026-11-20T10:01:00Z", "newest": "2026-11-20T10:09:00Z"},
            {"count": 1, "reason": "malformed", "topic": "counted/dev_1/STATE", "route": "a%b/+",
             "oldest": "2026-11-20T10:11:40Z", "newest": "2026-11-20T10:11:40Z"},
        ]);
        assert_eq!(json!(counts), expected);
        let said = env.command(&["count", "--topic", "counted/#"]);
        let lines: Vec<Vec<&str>> = said.out.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["COUNT", "REASON", "OLDEST", "NEWEST"]);
        assert_eq!(lines[1][..2], ["10", "no_route"]);
        assert_eq!(env.json(&["count", "--topic", "counted/nobody"]).len(), 0);
    });
}

#[test]
fn a_letter_is_shown_whole() {
    run(async |env| {
        let binary = DeadLetter { payload: vec![0, 0xff, b'x'], ..letter("shown/binary", "", 1) };
        let hostile = letter("shown/\u{1b}[2Jtext", "{\n\t\"power_w\": \"viel\"\n}", 0);
        env.store(&[hostile, binary]).await;
        let list = env.json(&["list", "--topic", "shown/#"]);
        let keys: Vec<&str> = list.iter().map(|letter| letter["key"].as_str().unwrap()).collect();

        let text = env.json(&["show", keys[1]]).pop().unwrap();
        assert_eq!(text["payload"], "{\n\t\"power_w\": \"viel\"\n}");
        assert_eq!(text["topic"], "shown/\u{1b}[2Jtext");
        let bytes = env.json(&["show", keys[0]]).pop().unwrap();
        assert_eq!((&bytes["payload_base64"], &bytes["payload"]), (&json!("AP94"), &json!(null)));
        // The topic may be left out of the key.
        let short = keys[1].strip_prefix("wattline.dead-letters.v1/").unwrap();
        assert_eq!(env.command(&["show", short, "--payload"]).out, "{\n\t\"power_w\": \"viel\"\n}");

        for said in [env.command(&["show", keys[1]]), env.command(&["list", "--topic", "shown/#"])] {
            assert!(said.out.contains("shown/\\u{1b}[2Jtext"), "{said:?}");
            assert!(!said.out.contains('\u{1b}'), "{said:?}");
        }
    });
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    run(async |env| {
        for (arguments, words) in [
            (&["show", "0/999999999"][..], &["no dead letter", "list --state any"][..]),
            (&["show", "what"], &["\"what\"", "/PARTITION/OFFSET"]),
            (&["list", "--topic", "a/#/b"], &["a/#/b", "last level"]),
            (&["list", "--since", "yesterday"], &["--since", "yesterday", "7d"]),
            (&["list", "--since", "1h", "--until", "2h"], &["not before"]),
            (&["replay", "--brokers", "127.0.0.1:1"], &["127.0.0.1:1", "--brokers"]),
            (&["replay", "--routes", "/no/such.toml"], &["/no/such.toml"]),
            (&["list", "--database", "postgres://wattline_sinc@127.0.0.1:1/x"], &["127.0.0.1:1", "refused"]),
        ] {
            let said = env.command(arguments);
            assert!(!said.ok, "{arguments:?}: {said:?}");
            for word in words {
                assert!(said.error.contains(word), "{arguments:?}, {word:?}: {said:?}");
            }
        }
        let url = env.stack.database_url_as("wattline_api");
        let said = env.command(&["list", "--database", &url]);
        assert!(said.error.contains("42501") && said.error.contains("wattline_operator"), "{said:?}");
    });
}

#[test]
fn an_operator_changes_what_became_of_letters_and_nothing_else() {
    run(async |env| {
        let url = env.stack.database_url_as("wattline_operator");
        let settings = wattline_service::DatabaseSettings { url, ..Default::default() };
        let operator = settings.connect("test").await.unwrap();
        for statement in [
            "UPDATE dead_letter SET payload = ''",
            "UPDATE dead_letter SET received_at = now()",
            "INSERT INTO dead_letter SELECT * FROM dead_letter",
            "DELETE FROM reading",
            "UPDATE meter SET last_seen = now()",
            "UPDATE stream_offset SET next_offset = 0",
        ] {
            let error = operator.batch_execute(statement).await.unwrap_err();
            let code = error.code().map(tokio_postgres::error::SqlState::code);
            assert_eq!(code, Some("42501"), "{statement}");
        }
    });
}
