//! The clock of a service's hosts jumps by an hour, and back.

use wattline_localstack::ServiceKind;
use wattline_tests::ops::Op;

use super::{apart, rounds};
use crate::fixture::{assert_ok, system};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs faketime: make faults"]
async fn clocks_that_jump_lose_and_double_nothing() {
    // One system at a time.
    let _exclusive = system().await;
    let system = apart(|shape| shape.movable_clocks = true).await;
    // mqtt-ingest's only ahead: behind, it would rightly take what devices say for the future.
    let jumps = [
        (ServiceKind::MqttIngest, 3600),
        (ServiceKind::TimescaleSink, 3600),
        (ServiceKind::TimescaleSink, -3600),
        (ServiceKind::Aggregator, 3600),
        (ServiceKind::Aggregator, -3600),
    ];
    rounds(&system, "clock", "clock of a service an hour ahead, behind, and right again", |_| {
        let once = jumps.into_iter().flat_map(|(kind, ahead_s)| {
            [Op::Flow(3000), Op::SetClock(kind, ahead_s), Op::Flow(6000), Op::SetClock(kind, 0)]
        });
        once.chain([Op::Flow(3000)]).collect()
    })
    .await;
    for ingest in system.replicas_of(ServiceKind::MqttIngest) {
        let metrics = assert_ok(ingest.process.metrics().await);
        let jumps =
            metrics.lines().find_map(|line| line.strip_prefix("wattline_mqtt_ingest_clock_jumps_total "));
        assert_ne!(jumps, Some("0"), "its clock never moved");
        assert!(jumps.is_some(), "{metrics}");
    }
}
