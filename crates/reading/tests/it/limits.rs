//! What passes the check is within the bounds, and what is within passes as it is.

use proptest::prelude::*;
use wattline_reading::register::{REGISTER_MWH_MAX, to_wh};
use wattline_reading::{Limits, Measures, Phase, Reading, Reason, Timestamp};

use crate::any::{measures, reading};

const NOW: Timestamp = Timestamp::from_micros(1_795_168_800_000_000);

fn within(measures: &Measures, limits: &Limits) -> bool {
    let power = |value: Option<f64>| value.is_none_or(|value| value.abs() <= limits.power_w_max);
    let voltage =
        |value: Option<f64>| value.is_none_or(|value| (0.0..=limits.voltage_v_max).contains(&value));
    let current = |value: Option<f64>| value.is_none_or(|value| value.abs() <= limits.current_a_max);
    let register = |mwh: Option<i64>| {
        mwh.is_none_or(|mwh| (0..=REGISTER_MWH_MAX).contains(&mwh) && to_wh(mwh) <= limits.energy_wh_max)
    };
    let frequency = |value: f64| (limits.frequency_hz_min..=limits.frequency_hz_max).contains(&value);
    let phase = |phase: &Phase| power(phase.power_w) && voltage(phase.voltage_v) && current(phase.current_a);
    power(measures.power_w)
        && register(measures.energy_import_mwh)
        && register(measures.energy_export_mwh)
        && voltage(measures.voltage_v)
        && current(measures.current_a)
        && measures.power_factor.is_none_or(|value| value.abs() <= 1.0)
        && measures.frequency_hz.is_none_or(frequency)
        && measures.soc_pct.is_none_or(|value| (0.0..=100.0).contains(&value))
        && measures.phases.len() <= 3
        && measures.phases.iter().all(phase)
}

proptest! {
    #[test]
    fn what_passes_is_within_the_bounds(mut reading in reading()) {
        let limits = Limits::default();
        let before = reading.clone();
        let mut left_out = 0;
        if limits.check(&mut reading, |_| left_out += 1).is_ok() {
            prop_assert!(within(&reading.measures, &limits) && !reading.measures.is_empty());
            prop_assert!(limits.is_plausible_time(reading.ts, reading.received_at));
            prop_assert!((1..=128).contains(&reading.meter_id.len()));
            // Nothing is clamped: what stays is what was measured.
            prop_assert_eq!(reading.measures.power_w, before.measures.power_w);
            prop_assert_eq!(reading.measures.energy_import_mwh, before.measures.energy_import_mwh);
            prop_assert_eq!(left_out == 0, reading == before);
            let again = limits.check(&mut reading.clone(), |_| panic!("twice"));
            prop_assert_eq!(again, Ok(()));
        }
    }

    #[test]
    fn what_is_within_the_bounds_passes_untouched(
        values in (-1e5_f64..=1e5, 0.0_f64..=600.0, -400.0_f64..=400.0, -1.0_f64..=1.0, 40.0_f64..=70.0, 0.0_f64..=100.0),
        registers in (0..=10_000_000_000_000_i64, 0..=10_000_000_000_000_i64),
        ahead_us in -7_776_000_000_000_i64..=300_000_000,
        phases in 0_usize..4,
    ) {
        let (power, voltage, current, factor, frequency, soc) = values;
        let phase = Phase { power_w: Some(power), voltage_v: Some(voltage), current_a: Some(current) };
        let measures = Measures {
            power_w: Some(power),
            energy_import_mwh: Some(registers.0),
            energy_export_mwh: Some(registers.1),
            voltage_v: Some(voltage),
            current_a: Some(current),
            power_factor: Some(factor),
            frequency_hz: Some(frequency),
            soc_pct: Some(soc),
            phases: vec![phase; phases],
        };
        let ts = Timestamp::from_micros(NOW.micros() + ahead_us);
        let mut reading = Reading { received_at: NOW, ..Reading::new("m", ts, measures) };
        let before = reading.clone();
        prop_assert_eq!(Limits::default().check(&mut reading, |which| panic!("{which:?}")), Ok(()));
        prop_assert_eq!(reading, before);
    }

    /// One wrong power or register refuses the whole, whatever else is right.
    #[test]
    fn a_register_is_never_left_out(measures in measures(), mwh in prop_oneof![i64::MIN..0, 10_000_000_000_001..=i64::MAX]) {
        let measures = Measures { power_w: None, phases: Vec::new(), energy_import_mwh: Some(mwh), ..measures };
        let mut reading = Reading { received_at: NOW, ..Reading::new("m", NOW, measures) };
        let refused = Limits::default().check(&mut reading, |_| {}).unwrap_err();
        prop_assert_eq!(refused.reason, Reason::RegisterImplausible);
        prop_assert!(refused.detail.contains("energy_import_wh is"), "{}", refused.detail);
    }
}

/// Of several faults the first is told, in the order that the check promises.
#[test]
fn the_first_fault_is_told() {
    let measures = Measures { power_w: Some(f64::NAN), energy_import_mwh: Some(-1), ..Measures::default() };
    let old = Timestamp::from_micros(5);
    let mut reading = Reading { received_at: NOW, ..Reading::new("", old, measures) };
    let mut told = |change: fn(&mut Reading)| {
        change(&mut reading);
        Limits::default().check(&mut reading, |_| {}).unwrap_err().reason
    };
    assert_eq!(told(|_| {}), Reason::MeterIdInvalid);
    assert_eq!(told(|reading| reading.meter_id = "m".to_owned()), Reason::TsTooOld);
    assert_eq!(told(|reading| reading.ts = NOW), Reason::PowerImplausible);
    assert_eq!(told(|reading| reading.measures.power_w = None), Reason::RegisterImplausible);
    assert_eq!(told(|reading| reading.measures.energy_import_mwh = None), Reason::NoMeasure);
}
