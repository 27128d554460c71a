//! What always holds, whatever the home and its tariffs are: J1 to J12. J13 is of the cache in the database, of which there
//! is nothing here: an answer depends on its question alone.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::ask::{answer, micro, total};
use crate::home::{Home, midnight};
use crate::street::{Dice, question};

type Sums = BTreeMap<String, (i128, i128, i64)>;

fn at(input: &Value, resolution: &str) -> Value {
    let mut input = input.clone();
    input["resolution"] = json!(resolution);
    answer(&input)
}

/// Amount, VAT and quantity of each line of a bucket; what is unknown counts 0.
fn sums(bucket: &Value) -> Sums {
    let mut sums = Sums::new();
    add(&mut sums, bucket);
    sums
}

fn add(sums: &mut Sums, bucket: &Value) {
    for line in bucket["lines"].as_array().unwrap() {
        let name = ["agreement", "version", "component", "band"].map(|key| line[key].as_str().unwrap_or(""));
        let amount = |key: &str| if line[key].is_null() { 0 } else { micro(&line[key]) };
        let sum = sums.entry(name.join(" ")).or_default();
        sum.0 += amount("amount");
        sum.1 += amount("vat");
        sum.2 += line["quantity_mwh"].as_i64().unwrap_or(0);
    }
}

fn of_all(answer: &Value) -> i128 {
    let amounts = answer["total"]["amounts"].as_array().unwrap();
    amounts.iter().filter(|one| !one["amount"].is_null()).map(|one| micro(&one["amount"])).sum()
}

#[test]
fn j1_quarter_hours_add_up_to_hours_days_months_and_all() {
    for seed in 1_000..1_060 {
        let input = question(seed);
        let whole = at(&input, "total");
        for resolution in ["15m", "1h", "1d", "1mo"] {
            let answer = at(&input, resolution);
            assert_eq!(sums(&answer["total"]), sums(&whole["total"]), "seed {seed} {resolution}");
            assert_eq!(answer["total"]["amounts"], whole["total"]["amounts"], "seed {seed} {resolution}");
            let mut of_buckets = Sums::new();
            let buckets = answer["buckets"].as_array().unwrap();
            buckets.iter().for_each(|bucket| add(&mut of_buckets, bucket));
            if !buckets.is_empty() {
                assert_eq!(of_buckets, sums(&whole["total"]), "seed {seed} {resolution}");
            }
        }
    }
}

#[test]
fn j2_no_order_plays_a_part() {
    for seed in 2_000..2_040 {
        let input = question(seed);
        let mut turned = input.clone();
        for key in ["prices", "tariffs", "agreements", "meters", "calendars"] {
            turned[key].as_array_mut().unwrap().reverse();
        }
        for tariff in turned["tariffs"].as_array_mut().unwrap() {
            tariff["versions"].as_array_mut().unwrap().reverse();
        }
        let (one, two) = (at(&input, "1d"), at(&turned, "1d"));
        let days =
            |answer: &Value| answer["buckets"].as_array().unwrap().iter().map(sums).collect::<Vec<_>>();
        assert_eq!(days(&one), days(&two), "seed {seed}");
    }
}

#[test]
fn j3_a_range_is_the_sum_of_its_parts() {
    for seed in 3_000..3_060 {
        let input = question(seed);
        let ends = [0, 1].map(|end| {
            chrono::DateTime::parse_from_rfc3339(input["range"][end].as_str().unwrap()).unwrap().timestamp()
                / 900
        });
        let length = u64::try_from(ends[1] - ends[0] - 1).unwrap();
        let middle = ends[0] + 1 + i64::try_from(Dice::new(seed).below(length)).unwrap();
        let middle = chrono::DateTime::from_timestamp(middle * 900, 0).unwrap().to_rfc3339();
        let part = |from: &Value, to: &Value| {
            let mut part = input.clone();
            part["range"] = json!([from, to]);
            at(&part, "total")
        };
        let mut parts = sums(&part(&input["range"][0], &json!(middle))["total"]);
        add(&mut parts, &part(&json!(middle), &input["range"][1])["total"]);
        // The mean of a month that isn't over is of what is known, which is the same for both.
        assert_eq!(parts, sums(&at(&input, "total")["total"]), "seed {seed} cut at {middle}");
    }
}

/// The exact amounts of all quarter-hours in 10⁻¹⁵, by line.
fn bases(home: &Home) -> Vec<i128> {
    let explained =
        home.clone().with("explain", json!(["2026-06-10T10:00:00Z", "2026-06-10T20:15:00Z"])).answer();
    let lines =
        explained["slots"].as_array().unwrap().iter().flat_map(|slot| slot["lines"].as_array().unwrap());
    let base = |line: &Value| {
        let text = line["base"].as_str().unwrap();
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        format!("{whole}{part:0<24}").parse().unwrap()
    };
    lines.map(base).collect()
}

fn price(nano: i64) -> String {
    let sign = if nano < 0 { "-" } else { "" };
    format!("{sign}{}.{:09}", nano.abs() / 1_000_000_000, nano.abs() % 1_000_000_000)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn j4_prices_times_k_are_amounts_times_k(one in -2_000_000_000_i64..2_000_000_000, two in 0_i64..2_000_000_000,
                                             mwh in prop::collection::vec(0_i64..2_000_000, 1..96), k in -9_i64..9) {
        let home = |factor: i64| {
            let tiers = json!([{"up_to_kwh": "3.3", "price": price(one * factor)}, {"price": price(two * factor)}]);
            let home = Home::new().import(json!(mwh)).energy(json!({"per": "day", "tiers": tiers}));
            home.component(json!({"id": "p", "kind": "percent", "percent": "12.5", "of": ["energy"]}))
        };
        let times: Vec<i128> = bases(&home(1)).iter().map(|base| base * i128::from(k)).collect();
        prop_assert_eq!(bases(&home(k)), times);
    }

    #[test]
    fn j9_tiers_of_one_price_are_none_and_net_without_export_is_import(nano in -2_000_000_000_i64..2_000_000_000,
                                            mwh in prop::collection::vec(0_i64..2_000_000, 1..96), edge in 1_u32..50) {
        let home = Home::new().import(json!(mwh));
        let flat = home.clone().energy(json!({"price": price(nano)})).total();
        let tiers = json!([{"up_to_kwh": edge.to_string(), "price": price(nano)}, {"price": price(nano)}]);
        prop_assert_eq!(&home.clone().energy(json!({"per": "day", "tiers": tiers})).total(), &flat);
        let net = json!({"measure": "net", "per": "day", "price": price(nano), "surplus": "7"});
        prop_assert_eq!(&home.export(json!([0])).energy(net).total(), &flat);
    }

    /// VAT is that of the sum, within the rounding of both: one line of one month.
    #[test]
    fn j7_the_vat_of_a_sum_is_the_sum_of_vats(nano in -2_000_000_000_i64..2_000_000_000, rate in 0_i128..100, gross: bool,
                                              mwh in prop::collection::vec(0_i64..2_000_000, 1..96)) {
        let home = Home::new().import(json!(mwh)).tariff("vat_included", json!(gross));
        let answer = home.version_key("vat", json!(rate.to_string())).energy(json!({"price": price(nano)})).answer();
        let sum = &answer["total"]["amounts"][0];
        let (amount, vat) = (micro(&sum["amount"]), micro(&sum["vat"]));
        // vat = amount × r ÷ (100 + r).
        prop_assert!((vat * (100 + rate) - amount * rate).abs() <= 100 + rate);
    }

    /// J11: whatever the loads are, if they make up the home.
    #[test]
    fn j11_loads_that_make_up_the_home_make_up_its_import_lines(import in 0_i64..2_000_000, produced in 0_i64..2_000_000,
                                                                cuts in prop::collection::vec(0.0_f64..1.0, 1..5)) {
        let (from, to) = ("2026-06-10T10:00:00Z", "2026-06-10T10:15:00Z");
        let consumed = import + produced;
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "any place will do")]
        let mut edges: Vec<i64> = cuts.iter().map(|cut| (cut * consumed as f64) as i64).collect();
        edges.extend([0, consumed]);
        edges.sort_unstable();
        let mut home = Home::new().with("range", json!([from, to])).import(json!([import]));
        let run = |key: &str, mwh: i64| json!([{"from": from, "to": to, key: [mwh]}]);
        let meters = home.input["meters"].as_array_mut().unwrap();
        meters.push(json!({"id": "roof", "role": "production", "runs": run("export_mwh", produced)}));
        let mut shares = Vec::new();
        for (place, two) in edges.windows(2).enumerate() {
            meters.push(json!({"id": format!("l{place}"), "role": "load", "runs": run("import_mwh", two[1] - two[0])}));
            shares.push(json!({"meter": format!("l{place}")}));
        }
        let answer = home.energy(json!({"price": "0.3"})).with("shares", json!(shares)).answer();
        let parts: i128 = answer["shares"].as_array().unwrap().iter().map(|share| micro(&share["amount"])).sum();
        let rounded = i128::try_from(shares.len()).unwrap();
        prop_assert!((parts - micro(&json!(total(&answer)))).abs() <= rounded, "{parts} of {}", total(&answer));
    }
}

/// Each line is rounded by itself, so two lines may differ by a millionth from one.
#[test]
fn j5_a_version_cut_into_two_equal_ones_changes_no_sum() {
    for seed in 5_000..5_060 {
        let mut input = question(seed);
        for tariff in input["tariffs"].as_array_mut().unwrap() {
            let versions = tariff["versions"].as_array_mut().unwrap();
            versions.truncate(1);
            for component in versions[0]["components"].as_array_mut().unwrap() {
                // A ceiling is one of the days of each version.
                component.as_object_mut().unwrap().remove("max_per_kwh");
            }
        }
        let mut cut = input.clone();
        let middle = input["range"][0].as_str().unwrap()[..10].to_owned();
        for tariff in cut["tariffs"].as_array_mut().unwrap() {
            let versions = tariff["versions"].as_array_mut().unwrap();
            let mut second = versions[0].clone();
            second["from"] =
                json!(chrono::NaiveDate::succ_opt(&middle.parse().unwrap()).unwrap().to_string());
            versions.push(second);
        }
        let (one, two) = (at(&input, "total"), at(&cut, "total"));
        // A charge that falls due belongs to the version of its days; one that isn't due is beside both.
        let lines = i128::try_from(two["total"]["lines"].as_array().unwrap().len()).unwrap() * 3;
        assert!(
            (of_all(&one) - of_all(&two)).abs() <= lines,
            "seed {seed}: {} {}",
            of_all(&one),
            of_all(&two)
        );
    }
}

#[test]
fn j6_each_quarter_hour_is_in_exactly_one_band() {
    for seed in 6_000..6_040 {
        let answer = at(&question(seed), "15m");
        for bucket in answer["buckets"].as_array().unwrap() {
            let mut bands: BTreeMap<String, u32> = BTreeMap::new();
            for line in
                bucket["lines"].as_array().unwrap().iter().filter(|line| line.get("quantity_mwh").is_some())
            {
                *bands.entry(format!("{} {}", line["agreement"], line["component"])).or_default() += 1;
            }
            assert!(bands.values().all(|count| *count == 1), "seed {seed} {}: {bands:?}", bucket["start"]);
        }
    }
}

#[test]
fn j8_what_if_with_the_contracts_in_force_is_no_difference() {
    for seed in 8_000..8_040 {
        let mut input = question(seed);
        input["what_if"] = json!([{"id": "same", "agreements": input["agreements"]}]);
        let answer = at(&input, "total");
        let what_if = &answer["what_if"][0];
        assert_eq!(what_if["quarters_priced"], answer["total"]["quarters_priced"], "seed {seed}");
        for one in what_if["difference"].as_array().unwrap() {
            assert!(one["amount"].is_null() || micro(&one["amount"]) == 0, "seed {seed}: {one}");
        }
    }
}

#[test]
fn j10_standing_charges_are_the_price_on_every_date_of_every_zone() {
    for zone in chrono_tz::TZ_VARIANTS.iter().step_by(5) {
        let fee = json!({"id": "fee", "kind": "standing", "price": "0.123457", "per": "day"});
        let range = json!([midnight(*zone, "2026-01-01"), midnight(*zone, "2027-01-01")]);
        let home = Home::new().zone(zone.name()).with("range", range).component(fee);
        assert_eq!(home.with("resolution", json!("1d")).amounts(), vec!["0.123457"; 365], "{zone}");
    }
}

#[test]
fn j12_a_changed_quarter_hour_changes_nothing_before_it() {
    for seed in 12_000..12_040 {
        let input = question(seed);
        let before = at(&input, "15m");
        let buckets = before["buckets"].as_array().unwrap();
        let changed = usize::try_from(Dice::new(seed).below(buckets.len() as u64)).unwrap();
        let mut late = input.clone();
        let run = json!({"from": buckets[changed]["start"], "to": buckets[changed]["end"],
            "import_mwh": [1_234_567], "export_mwh": [7_654_321]});
        late["meters"][0]["runs"].as_array_mut().unwrap().push(run);
        let after = at(&late, "15m");
        assert_eq!(buckets[..changed], after["buckets"].as_array().unwrap()[..changed], "seed {seed}");
    }
}
