//! Each server starts, talks, stops, dies, freezes and comes back.

use wattline_localstack::{Stack, StackOptions};

#[tokio::test]
async fn all_three_start_and_answer() {
    let stack = Stack::start(StackOptions::new()).await.expect("a stack");
    println!("{} {} {}", stack.mqtt_url(), stack.kafka_brokers(), stack.database_url());
    let (client, connection) =
        tokio_postgres::connect(&stack.database_url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("CREATE EXTENSION IF NOT EXISTS timescaledb").await.unwrap();
    let dir = stack.dir().to_owned();
    drop(stack);
    assert!(!dir.exists());
}
