//! A replica is added, one is killed and stays away: the others share the work.

use wattline_localstack::ServiceKind;
use wattline_tests::ops::Op;

use super::rounds;
use crate::fixture::{assert_ok, system};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_added_and_one_killed_lose_and_double_nothing() {
    let exclusive = system().await;
    let added = [ServiceKind::TimescaleSink, ServiceKind::Aggregator];
    rounds(&exclusive.system, "replicas", |_, length| {
        let once = added
            .into_iter()
            .flat_map(|kind| [Op::Flow(3000), Op::Add(kind), Op::Flow(3000), Op::KillForGood(kind, 0)]);
        let mut ops: Vec<Op> = once.collect();
        // One that is added stays: the broker deals to its session also when it is away.
        if exclusive.system.replicas_of(ServiceKind::MqttIngest).len() < 3 {
            ops.splice(0..0, [Op::Flow(3000), Op::Add(ServiceKind::MqttIngest), Op::Flow(3000)]);
        }
        ops.push(Op::Kill(ServiceKind::MqttIngest, 2));
        ops.push(Op::Flow(6000 * length));
        ops
    })
    .await;
    for kind in added {
        while exclusive.system.replicas_of(kind).len() > 2 {
            assert_ok(exclusive.system.remove_last(kind).await);
        }
    }
}
