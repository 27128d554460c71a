//! Any process may be killed, frozen or cut off while messages flow: nothing is lost, nothing doubled, rollups equal
//! a recomputation, and memory stays bounded.
//!
//! `WATTLINE_FAULT_ROUNDS=n` repeats each story with n seeds; `WATTLINE_FAULT_SEED=s` repeats the one that failed. `make faults` also runs those that `make test` leaves out, and prints a table of all.

mod clock;
mod disk;
mod freeze;
mod kill;
mod lost_tails;
mod network;
mod one_in_a_million;
mod replicas;
mod report;
mod servers;

use std::sync::Arc;

use wattline_reading::Timestamp;
use wattline_tests::load::survives;
use wattline_tests::ops::Op;
use wattline_tests::system::{Shape, System};

use crate::fixture::{assert_ok, two_of_each};

/// Messages per second while faults happen: enough that every moment has some in every place.
const RATE: f64 = 3000.0;

/// A system that differs from the one that stories share, with two replicas of each service.
async fn apart(change: impl FnOnce(&mut Shape)) -> Arc<System> {
    let mut shape = two_of_each();
    change(&mut shape);
    Arc::new(assert_ok(System::start(shape).await))
}

/// Runs a story once, or as often as asked for, and reports what it came to. `ops` makes a round from a seed.
async fn rounds(system: &Arc<System>, name: &str, what: &str, ops: impl Fn(u64) -> Vec<Op>) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let rounds = number("WATTLINE_FAULT_ROUNDS").unwrap_or(1);
    let mut survived = Vec::new();
    for round in 0..rounds {
        let seed = number("WATTLINE_FAULT_SEED").unwrap_or_else(|| Timestamp::now().micros().unsigned_abs());
        let outcome = survives(system, &format!("{name}-{round}"), seed, RATE, &ops(seed)).await;
        if outcome.is_err() {
            report::failed(what, survived.len());
        }
        survived.push(assert_ok(outcome));
        assert_ok(system.heal().await);
    }
    report::survived(what, &survived);
}
