//! Any message for the family that `WATTLINE_FAMILY` names.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wattline_fuzz::{Given, judges};
use wattline_routes::Judge;

static JUDGES: LazyLock<Vec<Judge>> =
    LazyLock::new(|| judges(&std::env::var("WATTLINE_FAMILY").expect("WATTLINE_FAMILY names a family")));

fuzz_target!(|data: &[u8]| {
    let Some(mut given) = Given::of(data) else { return };
    let judge = given.judge(&JUDGES);
    given.aim(judge);
    given.judge_by(judge);
});
