//! A replica is added, one is killed and stays away: the others share the work.

use wattline_localstack::ServiceKind;
use wattline_tests::ops::Op;

use super::rounds;
use crate::fixture::{assert_ok, system};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_added_and_one_killed_lose_and_double_nothing() {
    let exclusive = system().await;
    let added = [ServiceKind::TimescaleSink, ServiceKind::Aggregator];
    rounds(&exclusive.system, "replicas", "a replica added, one killed for good", |_| {
        let once = added
            .into_iter()
            .flat_map(|kind| [Op::Flow(3000), Op::Add(kind), Op::Flow(3000), Op::KillForGood(kind, 0)]);
        let mut ops: Vec<Op> = once.collect();
        // One that is added stays: the broker deals to its session also when it is away.
        if exclusive.system.replicas_of(ServiceKind::MqttIngest).len() < 3 {
            ops.splice(0..0, [Op::Flow(3000), Op::Add(ServiceKind::MqttIngest), Op::Flow(3000)]);
        }
        ops.push(Op::Kill(ServiceKind::MqttIngest, 2));
        ops.push(Op::Flow(6000));
        ops
    })
    .await;
    for kind in added {
        while exclusive.system.replicas_of(kind).len() > 2 {
            assert_ok(exclusive.system.remove_last(kind).await);
        }
    }
}

/// Members come and go faster than the groups settle, and in between all of them have had their share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long: make faults"]
async fn members_that_come_and_go_lose_and_double_nothing() {
    let exclusive = system().await;
    let kinds = [ServiceKind::TimescaleSink, ServiceKind::Aggregator];
    rounds(&exclusive.system, "storm", "a storm of rebalances", |_| {
        let soon = Op::Flow(600);
        let come = kinds.map(|kind| [Op::Add(kind), soon]).concat().repeat(2);
        let shared = kinds.map(Op::AwaitShares).to_vec();
        let go = kinds.map(|kind| [Op::RemoveLast(kind), soon]).concat().repeat(2);
        let once = [come.clone(), shared, go.clone(), come, go].concat();
        [vec![Op::Flow(3000)], once.repeat(2), vec![Op::Flow(3000)]].concat()
    })
    .await;
}
