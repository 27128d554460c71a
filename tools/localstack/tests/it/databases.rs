//! A fresh database per test, copied from a template that was prepared once.

use wattline_localstack::{ServerKind, Stack, StackOptions};

use crate::clients::sql;

#[tokio::test]
async fn a_copy_has_the_hypertables_of_its_template() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Timescale])).await.unwrap();
    let template = stack.create_database("template_migrated", None).await.unwrap();
    let create = "CREATE EXTENSION timescaledb;
        CREATE TABLE sample (ts timestamptz NOT NULL);
        SELECT create_hypertable('sample', 'ts')";
    // The connection stays open: it must not be in the way of the copies.
    let owner = sql(&template).await;
    owner.batch_execute(create).await.unwrap();

    for name in ["copy_1", "copy_2"] {
        let copy = sql(&stack.create_database(name, Some("template_migrated")).await.unwrap()).await;
        copy.batch_execute("INSERT INTO sample VALUES (now())").await.unwrap();
        let chunks =
            copy.query_one("SELECT count(*) FROM timescaledb_information.chunks", &[]).await.unwrap();
        assert_eq!(chunks.get::<_, i64>(0), 1);
    }
    stack.drop_database("copy_1").await.unwrap();
    stack.create_database("copy_1", Some("template_migrated")).await.unwrap();
    assert!(stack.create_database("no; name", None).await.is_err());
}
