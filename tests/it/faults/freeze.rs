//! A frozen process still holds its locks and believes that it owns its partitions: one of two sinks frozen in the
//! middle of a COPY, one of two aggregators in a recomputation, both thawed when the other has long gone on.

use std::time::Duration;

use wattline_tests::ops::Op;

use super::rounds;
use crate::fixture::system;

/// Twice as long as the members' session: the twin has taken over, and met the lock.
const FROZEN: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_frozen_in_a_copy_is_fenced() {
    let exclusive = system().await;
    rounds(&exclusive.system, "frozen-sink", "a sink frozen in the middle of a COPY", |_| {
        vec![Op::Flow(2000), Op::FreezeInCopy(FROZEN), Op::Flow(2000)]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregator_frozen_in_a_recomputation_overwrites_nothing() {
    let exclusive = system().await;
    rounds(&exclusive.system, "frozen-aggregator", "an aggregator frozen in a recomputation", |_| {
        vec![Op::Flow(2000), Op::FreezeInRecompute(FROZEN), Op::Flow(2000)]
    })
    .await;
}
