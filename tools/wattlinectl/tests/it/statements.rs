//! Each statement is one that its role may run on the schema of the migrations.

use wattline_localstack::SqlFiles;

use crate::letters::run;

#[test]
fn every_statement_is_planned_as_its_role() {
    run(|env| async {
        for (folder, role) in [
            ("audit", "wattline_operator"),
            ("dead_letters", "wattline_operator"),
            ("migrate", "postgres"),
            ("offsets", "wattline_operator"),
        ] {
            let files = SqlFiles::of(env!("CARGO_MANIFEST_DIR"))
                .folder(folder)
                .with("{where}", "WHERE state = 'open'")
                .with("{limit}", "10")
                .with("{lock}", "FOR UPDATE SKIP LOCKED")
                .with("{columns}", "reason, mqtt_broker")
                .with("{group}", "GROUP BY reason, mqtt_broker");
            let checked = files.check(&env.stack.database_url_as(role)).await;
            checked.unwrap_or_else(|error| panic!("{folder} as {role}: {error:#}"));
        }
    });
}
