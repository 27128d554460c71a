//! Cases in `test_data`: readings and settings in, buckets out. Most come from a public report, which each names.
//!
//! Energies agree within 0.0011 Wh a bucket, of a home within 0.02; coverage within 0.002; flags as a set.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};
use wattline_energy::calendar::{Calendar, Period, Resolution};
use wattline_energy::home::{Member, Members, Role, balances, sums};
use wattline_energy::meter::show::Shown;
use wattline_energy::meter::{Cell, Meter, Reading, Settings, Swap};
use wattline_energy::total::{Total, part_edges_us, totals};
use wattline_energy::{Quality, Register};
use wattline_reading::{Measures, Meeting, Reading as Stored, Timestamp, register};

const WIDTHS: [(&str, &str); 9] = [
    ("PT1M", "1m"),
    ("PT5M", "5m"),
    ("PT15M", "15m"),
    ("PT30M", "30m"),
    ("PT1H", "1h"),
    ("P1D", "1d"),
    ("P1W", "1w"),
    ("P1M", "1mo"),
    ("P1Y", "1y"),
];

#[test]
fn every_case_is_computed_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("test_data");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let case: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        Case::new(&case).check();
        count += 1;
    }
    assert!(count >= 24, "{count} cases");
}

/// A case and what the crate makes of it.
struct Case<'a> {
    case: &'a Value,
    resolution: Resolution,
    periods: Vec<Period>,
    meters: BTreeMap<String, Meter>,
}

fn us(value: &Value) -> i64 {
    Timestamp::parse_rfc3339(value.as_str().unwrap()).unwrap().micros()
}

fn mwh(value: &Value) -> Option<i64> {
    (!value.is_null()).then(|| register::parse_wh(&value.to_string()).unwrap())
}

fn list<'a>(case: &'a Value, key: &str) -> &'a [Value] {
    case[key].as_array().map_or(&[], Vec::as_slice)
}

impl<'a> Case<'a> {
    fn new(case: &'a Value) -> Self {
        let width = WIDTHS.iter().find(|(width, _)| case["bucket"] == *width).unwrap().1;
        let resolution = Resolution::from_word(width).unwrap();
        let zone = case["zone"].as_str().unwrap().parse().unwrap();
        let billing_day = case["billing_day"].as_u64().map_or(1, |day| u32::try_from(day).unwrap());
        let (from_us, to_us) = (us(&case["range"][0]), us(&case["range"][1]));
        let calendar = Calendar { zone, billing_day };
        let periods = calendar.periods(from_us, to_us, resolution, 10_000).unwrap();
        let settings = settings(&case["settings"]);
        let events: Vec<Swap> = list(case, "events").iter().map(event).collect();
        let meters = stored(case)
            .into_iter()
            .map(|(meter_id, readings)| (meter_id, Meter::new(&readings, &events, &settings)))
            .collect();
        Self { case, resolution, periods, meters }
    }

    fn check(&self) {
        let cells = self.cells();
        if let Some(expected) = self.case["expected"].as_array() {
            let meter = self.meters.values().next().unwrap();
            let shown = self.case.get("now").map(|now| meter.shown(us(now)));
            self.check_buckets(cells.values().next().unwrap(), shown, expected);
            if let (Some(shown), Some(expected)) = (shown, self.case.get("expected_meter")) {
                self.near("expected_s", Some(shown.expected_us), 1e6, &expected["expected_s"], 0.01);
                assert_eq!(expected["silent"], shown.is_silent, "{}", self.case["id"]);
                self.near("derived", shown.derived_mw, 1e3, &expected["derived_power_w"], 0.001);
            }
        }
        if let Some(expected) = self.case["expected_home"].as_array() {
            self.check_home(&cells, expected);
        }
    }

    fn cells(&self) -> BTreeMap<String, Vec<Cell>> {
        let edges_us = part_edges_us(&self.periods, self.resolution);
        let cells = |meter: &Meter| {
            if self.resolution.is_fine() { meter.fine_cells(&edges_us) } else { meter.cells(&edges_us) }
        };
        self.meters.iter().map(|(meter_id, meter)| (meter_id.clone(), cells(meter))).collect()
    }

    fn check_buckets(&self, cells: &[Cell], shown: Option<Shown>, expected: &[Value]) {
        assert_eq!(expected.len(), self.periods.len(), "{}", self.case["id"]);
        for (register, name) in Register::BOTH.into_iter().zip(["import", "export"]) {
            let totals = totals(cells, register, &self.periods, self.resolution);
            for ((total, period), expected) in totals.iter().zip(&self.periods).zip(expected) {
                assert_eq!((us(&expected["start"]), us(&expected["end"])), (period.start_us, period.end_us));
                self.near("energy", total.mwh, 1e3, &expected[format!("energy_{name}_wh")], 0.0011);
                self.same_flags(total.quality, false, &expected[format!("quality_{name}")]);
                let covered = &expected[format!("coverage_{name}")];
                self.check_coverage(total, period, shown, covered);
                if let Some(shown) = shown {
                    let elapsed_us = period.elapsed_us(shown.end_us);
                    self.near("elapsed", Some(elapsed_us), 1e6, &expected["elapsed_seconds"], 0.01);
                    assert_eq!(expected["running"], period.end_us > shown.end_us);
                    let known_us = (total.known_ms * 1_000).min(elapsed_us);
                    let known = &expected[format!("known_seconds_{name}")];
                    self.near("known", Some(known_us), 1e6, known, 0.01);
                }
            }
        }
    }

    fn check_coverage(&self, total: &Total, period: &Period, shown: Option<Shown>, expected: &Value) {
        let elapsed_us = shown.map_or(period.us(), |shown| period.elapsed_us(shown.end_us));
        let known_us = (total.known_ms * 1_000).min(elapsed_us);
        let millionths = (elapsed_us > 0).then(|| known_us * 1_000_000 / elapsed_us.max(1));
        self.near("coverage", millionths, 1e6, expected, 0.002);
    }

    fn check_home(&self, cells: &BTreeMap<String, Vec<Cell>>, expected: &[Value]) {
        let members = list(&self.case["home"], "meters").iter().map(member).collect();
        let members = Members::new(members).unwrap();
        let parts = balances(&members, cells, self.periods[0].start_us, self.resolution);
        let sums = sums(&parts, &self.periods, self.resolution);
        assert_eq!(expected.len(), sums.len(), "{}", self.case["id"]);
        for ((sum, period), expected) in sums.iter().zip(&self.periods).zip(expected) {
            for (key, mwh) in [
                ("import_wh", sum.import_mwh),
                ("export_wh", sum.export_mwh),
                ("production_wh", sum.production_mwh),
                ("charge_wh", sum.charge_mwh),
                ("discharge_wh", sum.discharge_mwh),
                ("consumption_wh", sum.consumption_mwh),
                ("self_consumed_wh", sum.self_consumed_mwh),
                ("rest_wh", sum.rest_mwh),
            ] {
                self.near(key, mwh, 1e3, &expected[key], 0.02);
            }
            let keys = expected.as_object().map(Map::keys).into_iter().flatten();
            for parent in keys.filter_map(|key| key.strip_prefix("rest_wh_")) {
                let rest = sum.rests_mwh.get(parent).copied();
                self.near(parent, rest, 1e3, &expected[format!("rest_wh_{parent}")], 0.02);
            }
            let millionths = sum.known_ms * 1_000_000_000 / period.us();
            self.near("coverage", Some(millionths), 1e6, &expected["coverage"], 0.002);
            self.same_flags(sum.quality, sum.imbalance, &expected["quality"]);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a case is small")]
    fn near(&self, what: &str, value: Option<i64>, unit: f64, expected: &Value, within: f64) {
        let value = value.map(|value| value as f64 / unit);
        let is_near = match (value, expected.as_f64()) {
            (Some(value), Some(expected)) => (value - expected).abs() <= within,
            (value, expected) => value.is_none() == expected.is_none(),
        };
        assert!(is_near, "{}: {what} {value:?} for {expected}", self.case["id"]);
    }

    fn same_flags(&self, quality: Quality, imbalance: bool, expected: &Value) {
        let mut words: Vec<&str> = quality.flags().map(wattline_energy::Flag::as_str).collect();
        words.extend(imbalance.then_some("imbalance"));
        let mut expected: Vec<&str> = expected.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        words.sort_unstable();
        expected.sort_unstable();
        assert_eq!(words, expected, "{}", self.case["id"]);
    }
}

/// By meter, as the store keeps them: the first of an instant stays, and takes what it lacks.
fn stored(case: &Value) -> BTreeMap<String, Vec<Reading>> {
    let mut meters: BTreeMap<String, BTreeMap<i64, Stored>> = BTreeMap::new();
    let outcomes = list(case, "outcomes");
    for (place, value) in list(case, "readings").iter().enumerate() {
        let meter_id = value["device_id"].as_str().unwrap();
        let measures = Measures {
            power_w: value["power_w"].as_f64(),
            energy_import_mwh: mwh(&value["energy_import_wh"]),
            energy_export_mwh: mwh(&value["energy_export_wh"]),
            ..Measures::default()
        };
        let mut reading = Stored::new(meter_id, Timestamp::from_micros(us(&value["ts"])), measures);
        reading.register_epoch = value
            .get("register_epoch")
            .filter(|epoch| !epoch.is_null())
            .map(|epoch| Timestamp::from_micros(us(epoch)));
        let rows = meters.entry(meter_id.to_owned()).or_default();
        let outcome = match rows.get_mut(&reading.ts.micros()).map(|row| row.absorb(&reading)) {
            None => "stored",
            Some(Meeting::Merged) => "merged",
            Some(Meeting::Conflict) => "conflict",
            Some(Meeting::Duplicate) => "duplicate",
        };
        rows.entry(reading.ts.micros()).or_insert(reading);
        if let Some(expected) = outcomes.get(place) {
            assert_eq!(expected, outcome, "{} reading {place}", case["id"]);
        }
    }
    let rows = |rows: BTreeMap<i64, Stored>| rows.values().map(row).collect();
    meters.into_iter().map(|(meter_id, stored)| (meter_id, rows(stored))).collect()
}

fn row(stored: &Stored) -> Reading {
    Reading {
        ts_us: stored.ts.micros(),
        import_mwh: stored.measures.energy_import_mwh,
        export_mwh: stored.measures.energy_export_mwh,
        power_mw: stored.measures.power_w.map(wattline_energy::power::from_w),
        epoch_us: stored.register_epoch.map(Timestamp::micros),
    }
}

fn event(event: &Value) -> Swap {
    let is_import = event["register"] == "energy_import_wh";
    Swap {
        register: if is_import { Register::Import } else { Register::Export },
        at_us: us(&event["at"]),
        old_mwh: mwh(&event["old_wh"]).unwrap(),
        new_mwh: mwh(&event["new_wh"]).unwrap(),
    }
}

fn member(place: &Value) -> Member {
    let time = |key: &str| place.get(key).filter(|value| !value.is_null()).map(us);
    Member {
        meter_id: place["meter_id"].as_str().unwrap().to_owned(),
        role: Role::from_word(place["role"].as_str().unwrap()).unwrap(),
        parent: place["parent"].as_str().map(str::to_owned),
        from_us: time("from"),
        to_us: time("to"),
    }
}

/// Those that cases set.
fn settings(value: &Value) -> Settings {
    let mut settings = Settings::default();
    for (key, value) in value.as_object().into_iter().flatten() {
        let number = || mwh(value).unwrap();
        match key.as_str() {
            "max_power_w" => settings.max_power_mw = number(),
            "resolution_wh" => settings.resolution_mwh = number(),
            "moduli_wh" => settings.moduli_mwh = value.as_array().unwrap().iter().filter_map(mwh).collect(),
            "latch_s" => settings.latch_us = number() * 1_000,
            "expected_s" => settings.expected_us = Some(number() * 1_000),
            "register" => settings.is_net = value == "net",
            key => panic!("a case sets {key}: teach this test"),
        }
    }
    settings
}
