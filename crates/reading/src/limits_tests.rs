use super::*;
use crate::{Measures, Phase, Timestamp};

fn reading() -> Reading {
    let now = Timestamp::from_micros(1_795_168_800_000_000);
    Reading::new("m-1", now, Measures { power_w: Some(432.1), ..Measures::default() })
}

fn reason(change: impl FnOnce(&mut Reading)) -> Option<Reason> {
    let mut reading = reading();
    change(&mut reading);
    Limits::default().check(&mut reading, |_| {}).err().map(|refusal| refusal.reason)
}

#[test]
fn a_plain_reading_passes() {
    assert_eq!(reason(|_| {}), None);
}

#[test]
fn power_and_registers_refuse_the_message() {
    assert_eq!(reason(|r| r.measures.power_w = Some(f64::NAN)), Some(Reason::PowerImplausible));
    assert_eq!(reason(|r| r.measures.power_w = Some(-100_000.1)), Some(Reason::PowerImplausible));
    assert_eq!(reason(|r| r.measures.energy_import_mwh = Some(-1)), Some(Reason::RegisterImplausible));
    assert_eq!(reason(|r| r.measures.energy_export_mwh = Some(i64::MAX)), Some(Reason::RegisterImplausible));
    assert_eq!(
        reason(|r| r.measures.phases = vec![Phase { power_w: Some(f64::INFINITY), ..Phase::default() }]),
        Some(Reason::PowerImplausible)
    );
    assert_eq!(reason(|r| r.measures.phases = vec![Phase::default(); 4]), Some(Reason::Malformed));
}

#[test]
fn time_has_two_borders() {
    let shift = |r: &mut Reading, seconds: i64| {
        r.ts = Timestamp::from_micros(r.received_at.micros() + seconds * 1_000_000);
    };
    assert_eq!(reason(|r| shift(r, 300)), None);
    assert_eq!(reason(|r| shift(r, 301)), Some(Reason::TsFuture));
    assert_eq!(reason(|r| shift(r, -90 * 86_400)), None);
    assert_eq!(reason(|r| shift(r, -90 * 86_400 - 1)), Some(Reason::TsTooOld));
}

#[test]
fn a_secondary_measure_is_left_out_and_the_reading_kept() {
    let mut reading = reading();
    reading.measures.frequency_hz = Some(198.0);
    reading.measures.power_factor = Some(f64::NAN);
    reading.measures.soc_pct = Some(100.1);
    reading.measures.phases =
        vec![Phase { voltage_v: Some(-1.0), power_w: Some(1.0), current_a: Some(500.0) }];
    let mut left_out = Vec::new();
    Limits::default().check(&mut reading, |which| left_out.push(which)).unwrap();
    let expected = [
        LeftOut::PowerFactor,
        LeftOut::Frequency,
        LeftOut::StateOfCharge,
        LeftOut::Voltage,
        LeftOut::Current,
    ];
    assert_eq!(left_out, expected);
    assert_eq!(reading.measures.frequency_hz, None);
    assert_eq!(reading.measures.phases, [Phase { power_w: Some(1.0), ..Phase::default() }]);
}

#[test]
fn only_implausible_measures_are_no_measure() {
    let change = |r: &mut Reading| {
        r.measures = Measures { voltage_v: Some(1e9), ..Measures::default() };
    };
    assert_eq!(reason(change), Some(Reason::NoMeasure));
}

#[test]
fn meter_ids_are_bounded() {
    for id in ["", "a\nb", "a#", "a+", &"x".repeat(129)] {
        assert_eq!(reason(|r| r.meter_id = id.to_owned()), Some(Reason::MeterIdInvalid), "{id:?}");
    }
    assert_eq!(reason(|r| r.meter_id = "Zähler/1".to_owned()), None);
}
