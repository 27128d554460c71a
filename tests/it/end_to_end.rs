//! 200,000 readings of 2,000 meters with every disturbance: each stored once with its values, every message
//! accounted for, rollups equal to a recomputation.

use std::path::Path;

use wattline_loadtest::run::{self, Way};
use wattline_loadtest::scenario::Scenario;
use wattline_reading::Timestamp;
use wattline_tests::rollups::rollups_equal_a_recomputation;

use crate::fixture::{assert_ok, system};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reading_is_stored_once_and_every_message_is_accounted_for() {
    let exclusive = system().await;
    let target = assert_ok(exclusive.system.target());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../loadtest/scenarios/disturbed.toml");
    let scenario = assert_ok(Scenario::read(&file));
    assert_eq!(scenario.meters * scenario.readings, 200_000);

    // Compares every row, every conflict and every dead letter, and both equations.
    let report = assert_ok(run::run(&target, &scenario, Way::Whole, Timestamp::now()).await);
    let (expected, verified) = (report.expected, report.verified);
    assert_eq!(verified.readings, 200_000);
    assert_eq!(verified.conflicts, expected.conflict);
    assert_eq!(verified.dead_letters, expected.dead_letters);
    assert!(expected.conflict > 300 && expected.merged > 1500 && expected.dead_letters > 800, "{expected:?}");

    assert_ok(rollups_equal_a_recomputation(&target, &report.plan).await);
}
