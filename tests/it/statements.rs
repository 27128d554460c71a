//! SQL of libraries and tools that have no database of their own in their tests.

use wattline_localstack::{ServerKind, SqlFiles, Stack, StackOptions};

#[tokio::test]
async fn every_statement_is_planned_as_its_role() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Timescale])).await.unwrap();
    wattlinectl::migrate::run(&stack.database_url()).await.unwrap();
    let here = env!("CARGO_MANIFEST_DIR");
    for (folder, role) in [
        ("../crates/stream", "wattline_sink"),
        ("../crates/stream", "wattline_aggregator"),
        ("../loadtest", "postgres"),
    ] {
        let checked = SqlFiles::of(format!("{here}/{folder}")).check(&stack.database_url_as(role)).await;
        checked.unwrap_or_else(|error| panic!("{folder} as {role}: {error:#}"));
    }
}
