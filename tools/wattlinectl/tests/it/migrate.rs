//! Promise: any number of `migrate` at once and again leave one schema, least rights, and say what is wrong.

use std::time::Duration;

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
    a_consumer_moves_its_own_offsets_only(&stack, &url).await;
    the_equation_of_the_store_is_a_constraint(&url).await;
    the_border_moves_forward_only(&url).await;
    a_password_that_is_set_has_not_expired(&url).await;
    a_changed_migration_is_refused(&url).await;
}

/// Somebody reads a table for long, as a dump does: others can read it as ever, and the migration comes afterwards.
///
/// Seen to fail without the timeout: readers waited behind the migration for as long as the dump took.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_waits_for_a_table_makes_nobody_wait() {
    const UNDO: &str = "
        ALTER TABLE dead_letter DROP COLUMN source_topic_id,
            ADD PRIMARY KEY (source_topic, source_partition, source_offset);
        ALTER TABLE reading_conflict DROP COLUMN source_topic_id,
            ADD PRIMARY KEY (source_topic, source_partition, source_offset);
        DROP FUNCTION adopt_offsets, adopt_partitions, reset_offsets;
        ALTER TABLE stream_offset DROP COLUMN mark_offset, DROP COLUMN mark_ms;
        DELETE FROM schema_migration WHERE number >= 12";
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Timescale])).await.unwrap();
    let url = stack.create_database("locked", None).await.unwrap();
    migrate::run(&url).await.unwrap();
    let dump = settings(url.clone()).connect("dump").await.unwrap();
    dump.batch_execute(UNDO).await.unwrap();
    dump.batch_execute("BEGIN; LOCK TABLE dead_letter IN ACCESS SHARE MODE").await.unwrap();
    // The next one waits as patiently.
    let other = settings(url.clone()).connect("other").await.unwrap();
    other.batch_execute("BEGIN; LOCK TABLE stream_offset IN ACCESS SHARE MODE").await.unwrap();
    let migrating = tokio::spawn({
        let url = url.clone();
        async move { migrate::run(&url).await }
    });
    let reader = settings(url).connect("reader").await.unwrap();
    reader.batch_execute("SET lock_timeout = '4s'").await.unwrap();
    for (holder, table) in [(&dump, "dead_letter"), (&other, "stream_offset")] {
        for _ in 0..80 {
            reader.query(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(!migrating.is_finished(), "{table} is still held");
        holder.batch_execute("COMMIT").await.unwrap();
    }
    assert_eq!(migrating.await.unwrap().unwrap(), [12, 13]);
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

async fn a_consumer_moves_its_own_offsets_only(stack: &Stack, url: &str) {
    let owner = settings(url.to_owned()).connect("test").await.unwrap();
    let insert = "INSERT INTO stream_offset (consumer, topic, partition, first_offset, next_offset, owner,
        cluster_id, topic_id) SELECT consumer, 'own', 0, 0, 0, gen_random_uuid(), 'c', 't'
        FROM unnest($1::text[]) AS consumer";
    owner.execute(insert, &[&["timescale-sink", "aggregator"].as_slice()]).await.unwrap();
    let role = stack.database_url_of("migrate_test", "wattline_aggregator");
    let aggregator = settings(role).connect("test").await.unwrap();
    let moved =
        aggregator.execute("UPDATE stream_offset SET updated_at = now() WHERE topic = 'own'", &[]).await;
    assert_eq!(moved.unwrap(), 1, "of two rows that it sees");
    let seen = aggregator.query("SELECT FROM stream_offset WHERE topic = 'own'", &[]).await.unwrap();
    assert_eq!(seen.len(), 2);
    let error = aggregator.execute(insert, &[&["timescale-sink"].as_slice()]).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
    owner.execute("DELETE FROM stream_offset WHERE topic = 'own'", &[]).await.unwrap();
    // As after a dump was restored where this role was missing.
    owner.batch_execute("DROP POLICY own_of_aggregator ON stream_offset").await.unwrap();
    assert!(aggregator.execute(insert, &[&["aggregator"].as_slice()]).await.is_err());
    migrate::run(url).await.unwrap();
    aggregator.execute(insert, &[&["aggregator"].as_slice()]).await.unwrap();
    owner.execute("DELETE FROM stream_offset WHERE topic = 'own'", &[]).await.unwrap();
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

/// One whose end is yet to come keeps it.
async fn a_password_that_is_set_has_not_expired(url: &str) {
    let settings = settings(url.to_owned());
    let owner = settings.connect("owner").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "secret").unwrap();
    for (until, afterwards) in [("2020-01-01", "infinity"), ("2999-01-01", "2999-01-01 00:00:00+00")] {
        let expire = format!("SET timezone = 'UTC'; ALTER ROLE wattline_grafana VALID UNTIL '{until}'");
        owner.batch_execute(&expire).await.unwrap();
        let passwords = [("wattline_grafana".to_owned(), file.clone())];
        migrate::migrate(&settings, &passwords).await.unwrap();
        let query = "SELECT rolvaliduntil::text FROM pg_roles WHERE rolname = 'wattline_grafana'";
        let found: String = owner.query_one(query, &[]).await.unwrap().get(0);
        assert_eq!(found, afterwards);
    }
    let unknown = [("nobody_knows".to_owned(), file)];
    let error = migrate::migrate(&settings, &unknown).await.unwrap_err().to_string();
    assert!(error.contains("role \"nobody_knows\" does not exist"), "{error}");
}
