//! Promise: any number of `migrate` at once and again leave one schema, least rights, and say what is wrong.

use tokio_postgres::error::SqlState;
use wattline_localstack::{ServerKind, Stack, StackOptions};
use wattline_service::DatabaseSettings;
use wattlinectl::migrate;

fn settings(url: String) -> DatabaseSettings {
    DatabaseSettings { url, ..DatabaseSettings::default() }
}

#[tokio::test]
async fn two_at_once_and_again_leave_one_schema_with_least_rights() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Timescale])).await.unwrap();
    let url = stack.create_database("migrate_test", None).await.unwrap();

    let (first, second) = tokio::join!(migrate::run(&url), migrate::run(&url));
    let mut applied: Vec<i32> = first.unwrap();
    applied.extend(second.unwrap());
    applied.sort_unstable();
    let all: Vec<i32> = migrate::MIGRATIONS.iter().map(|migration| migration.number).collect();
    assert_eq!(applied, all, "each migration is applied by one of the two");
    assert_eq!(migrate::run(&url).await.unwrap(), Vec::<i32>::new());

    the_api_only_reads(&stack).await;
    the_equation_of_the_store_is_a_constraint(&url).await;
    the_border_moves_forward_only(&url).await;
    a_changed_migration_is_refused(&url).await;
}

async fn the_api_only_reads(stack: &Stack) {
    let api = settings(stack.database_url_of("migrate_test", "wattline_api")).connect("test").await.unwrap();
    api.query("SELECT * FROM reading", &[]).await.unwrap();
    api.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    for statement in ["DELETE FROM reading", "SELECT * FROM dead_letter"] {
        let error = api.batch_execute(statement).await.unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}");
    }
}

async fn the_equation_of_the_store_is_a_constraint(url: &str) {
    let owner = settings(url.to_owned()).connect("test").await.unwrap();
    let insert = "INSERT INTO stream_offset (consumer, topic, partition, first_offset, next_offset, owner,
        cluster_id, topic_id, stored) VALUES ('timescale-sink', 't', 0, 0, 2, gen_random_uuid(), 'c', 't', $1)";
    let error = owner.execute(insert, &[&1_i64]).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::CHECK_VIOLATION));
    owner.execute(insert, &[&2_i64]).await.unwrap();
}

async fn the_border_moves_forward_only(url: &str) {
    let owner = settings(url.to_owned()).connect("test").await.unwrap();
    owner.batch_execute("UPDATE retention_border SET border = '2026-01-01T00:00:00Z'").await.unwrap();
    let error = owner.batch_execute("UPDATE retention_border SET border = '2025-01-01T00:00:00Z'").await;
    assert!(error.unwrap_err().as_db_error().unwrap().message().contains("only moves forward"));
}

async fn a_changed_migration_is_refused(url: &str) {
    let owner = settings(url.to_owned()).connect("test").await.unwrap();
    owner.batch_execute("UPDATE schema_migration SET sha256 = 'x' WHERE number = 1").await.unwrap();
    let error = migrate::run(url).await.unwrap_err().to_string();
    assert!(error.contains("0001_registry was changed"), "{error}");
    owner.batch_execute("UPDATE schema_migration SET number = 9999 WHERE number = 1").await.unwrap();
    let error = migrate::run(url).await.unwrap_err().to_string();
    assert!(error.contains("newer"), "{error}");
}
