use super::*;

const SEED: u64 = 7;
/// 2026-06-21T00:00:00Z: long days.
const MIDSUMMER: i64 = 1_782_000_000_000_000;

fn day_of(home: &mut Home, start_us: i64, step_s: i64) -> Vec<Sample> {
    (1..=DAY_S / step_s)
        .map(|index| {
            let ts = Timestamp::from_micros(start_us + index * step_s * 1_000_000);
            home.step(ts, step_s * 1000, &Weather::at(SEED, ts))
        })
        .collect()
}

#[test]
fn registers_integrate_the_reported_power_exactly() {
    for number in 0..20 {
        let mut home = Home::new(SEED, number, 0.5);
        let before = home.clone();
        let samples = day_of(&mut home, MIDSUMMER, 10);
        let integral = |sign: i32| {
            let mw_ms: i64 =
                samples.iter().map(|sample| i64::from((sign * sample.power_dw).max(0)) * 100 * 10_000).sum();
            mw_ms / MW_MS_PER_MWH
        };
        let last = samples.last().unwrap();
        assert_eq!(last.energy_import_mwh - before.import_mw_ms.mwh, integral(1), "home {number}");
        assert_eq!(last.energy_export_mwh - before.export_mw_ms.mwh, integral(-1), "home {number}");
    }
}

#[test]
fn the_same_seed_is_the_same_street_and_another_is_not() {
    let street =
        |seed| (0..5).flat_map(move |n| day_of(&mut Home::new(seed, n, 0.3), MIDSUMMER, 60)).collect();
    let first: Vec<Sample> = street(SEED);
    let again: Vec<Sample> = street(SEED);
    let other: Vec<Sample> = street(SEED + 1);
    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[test]
fn homes_behave_like_homes() {
    let mut with_pv = 0;
    for number in 0..60 {
        let mut home = Home::new(SEED, number, 0.0);
        let samples = day_of(&mut home, MIDSUMMER, 30);
        let night = samples.iter().filter(|s| s.ts.micros() < MIDSUMMER + 2 * 3_600_000_000);
        assert!(
            night.clone().all(|s| s.power_dw > 300),
            "home {number}: base load is never nothing, nor is there sun at night"
        );
        let imported_wh = (samples.last().unwrap().energy_import_mwh - samples[0].energy_import_mwh) / 1000;
        assert!((800..30_000).contains(&imported_wh), "home {number}: {imported_wh} Wh a day");
        let exports = samples.iter().any(|s| s.power_dw < 0);
        assert!(!exports || home.has_pv(), "home {number} exports without PV");
        with_pv += u32::from(exports);
        assert!(samples.iter().all(|s| (2100..2500).contains(&s.voltage_dv)), "home {number}: voltage");
    }
    assert!((15..45).contains(&with_pv), "{with_pv} of 60 homes export at midsummer");
}

#[test]
fn evenings_are_above_nights_for_the_street() {
    let mean_dw = |from_h: i64, to_h: i64| -> i64 {
        let sum: i64 = (0..40)
            .flat_map(|number| day_of(&mut Home::new(SEED, number, 0.0), MIDSUMMER, 60))
            .filter(|s| {
                let hour = (s.ts.micros() - MIDSUMMER) / 3_600_000_000;
                (from_h..to_h).contains(&hour)
            })
            .map(|s| i64::from(s.power_dw))
            .sum();
        sum / (40 * 60 * (to_h - from_h))
    };
    assert!(mean_dw(19, 21) > 2 * mean_dw(1, 3));
}
