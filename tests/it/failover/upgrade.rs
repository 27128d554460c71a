//! From one version to the next, back and there again, both versions side by side: consumers first, as
//! `docs/operating.md` asks for, and one replica of everything at a time, as Kubernetes rolls a release.

use std::path::PathBuf;
use std::sync::Arc;

use wattline_localstack::ServiceKind::{self, Aggregator, MqttIngest, QueryApi, TimescaleSink};
use wattline_tests::ops::Op;
use wattline_tests::system::{Shape, System, bin_dir};

use super::{FLOW, once, report, round_count};
use crate::fixture::assert_ok;

const CONSUMERS_FIRST: [(ServiceKind, u16); 7] = [
    (TimescaleSink, 0),
    (TimescaleSink, 1),
    (Aggregator, 0),
    (Aggregator, 1),
    (QueryApi, 0),
    (MqttIngest, 0),
    (MqttIngest, 1),
];
const ALL_AT_ONCE: [(ServiceKind, u16); 7] = [
    (MqttIngest, 1),
    (TimescaleSink, 0),
    (Aggregator, 0),
    (QueryApi, 0),
    (MqttIngest, 0),
    (TimescaleSink, 1),
    (Aggregator, 1),
];

/// Each replica in turn, with both versions at work in between.
fn replaced(order: [(ServiceKind, u16); 7]) -> Vec<Op> {
    let replaced = |(kind, ordinal)| [Op::Replace(kind, ordinal), Op::Flow(1000)];
    [FLOW].into_iter().chain(order.into_iter().flat_map(replaced)).chain([FLOW]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long, needs the version before: make failover"]
async fn an_upgrade_and_the_way_back_under_load_lose_and_double_nothing() {
    let old = std::env::var_os("WATTLINE_OLD_BIN")
        .expect("WATTLINE_OLD_BIN: the version before, by scripts/failover.sh");
    let (old, new) = (PathBuf::from(old), assert_ok(bin_dir()));
    let (mut there, mut back, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..round_count() {
        // A fresh database each time: a migration happens once.
        let shape =
            Shape { ingests: 2, sinks: 2, aggregators: 2, programs: Some(old.clone()), ..Shape::default() };
        let system = Arc::new(assert_ok(System::start(shape).await));
        assert_ok(system.add(QueryApi));
        assert_ok(system.wait_ready().await);

        system.use_programs(&new);
        let mut ops = vec![FLOW, Op::Prepare];
        ops.extend(replaced(CONSUMERS_FIRST));
        there.push(once(&system, &format!("upgrade-{round}"), &ops).await);

        system.use_programs(&old);
        back.push(once(&system, &format!("rollback-{round}"), &replaced(ALL_AT_ONCE)).await);

        system.use_programs(&new);
        again.push(once(&system, &format!("upgrade-again-{round}"), &replaced(ALL_AT_ONCE)).await);
    }
    report("Upgrade: the migration, then every replica in turn, consumers first", &there);
    report("Rollback: the version before on the new schema, one replica of everything at a time", &back);
    report("Upgrade once more, one replica of everything at a time", &again);
}
