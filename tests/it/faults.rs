//! Any process may be killed, frozen or cut off while messages flow: nothing is lost, nothing doubled, rollups equal
//! a recomputation, and memory stays bounded.
//!
//! `WATTLINE_FAULT_ROUNDS=n` repeats each story with n seeds and a longer load; `WATTLINE_FAULT_SEED=s` repeats the one
//! that failed.

mod freeze;
mod kill;
mod lost_tails;
mod one_in_a_million;
mod replicas;
mod servers;

use std::sync::Arc;

use wattline_reading::Timestamp;
use wattline_tests::load::survives;
use wattline_tests::ops::Op;
use wattline_tests::system::System;

use crate::fixture::assert_ok;

/// Messages per second while faults happen: enough that every moment has some in every place.
const RATE: f64 = 3000.0;

/// Runs a story once, or as often as asked for. `ops` makes them from a seed and the length of the load (1 or more).
async fn rounds(system: &Arc<System>, name: &str, ops: impl Fn(u64, u64) -> Vec<Op>) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let rounds = number("WATTLINE_FAULT_ROUNDS").unwrap_or(0);
    let length = if rounds == 0 { 1 } else { 3 };
    for round in 0..rounds.max(1) {
        let seed = number("WATTLINE_FAULT_SEED").unwrap_or_else(|| Timestamp::now().micros().unsigned_abs());
        assert_ok(survives(system, &format!("{name}-{round}"), seed, RATE, &ops(seed, length)).await);
        assert_ok(system.heal().await);
    }
}
