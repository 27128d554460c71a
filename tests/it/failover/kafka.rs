//! Three Kafka brokers, three copies of each record, two of them in sync before a record counts as written.

use wattline_localstack::StackOptions;
use wattline_tests::ops::Op;

use super::{FLOW, rounds, start};

const NAMES: [&str; 3] = ["kafka-1", "kafka-2", "kafka-3"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long: make failover"]
async fn a_kafka_broker_lost_under_load_loses_and_doubles_nothing() {
    let system = start(StackOptions::new().kafka_brokers(3).kafka_default_timeouts(true), 3).await;
    rounds(&system, "calm", "no fault, for comparison", async || vec![FLOW; 3]).await;

    let next = std::cell::Cell::new(0);
    rounds(
        &system,
        "kafka-killed",
        "Kafka: one of three brokers killed, back after the failover",
        async || {
            // Another one each round: leader of other partitions, coordinator of other groups.
            let name = NAMES[next.replace(next.get() + 1) % NAMES.len()];
            vec![FLOW, Op::KillServer(name), Op::AwaitStored(15_000), Op::ReturnServer(name), FLOW]
        },
    )
    .await;

    rounds(&system, "kafka-rolled", "Kafka: rolling restart of all three brokers", async || {
        vec![FLOW, Op::RollKafka, FLOW]
    })
    .await;
}
