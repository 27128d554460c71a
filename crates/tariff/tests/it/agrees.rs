//! The crate and the slow second reading of the rules agree: every line of every quarter-hour, to the last digit.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::ask::{answer, micro};
use crate::oracle::{Lines, Name, oracle};
use crate::street::question;

#[test]
fn random_homes_agree() {
    let (mut count, mut seen) = (0, BTreeSet::new());
    for seed in 0..60 {
        let input = question(seed);
        count += compare(seed, &answer(&input), &oracle(&input), &mut seen);
    }
    assert!(count > 150_000, "{count} lines of quarter-hours");
    let flags = ["estimated", "estimated_price", "no_energy", "no_price", "provisional"];
    assert!(flags.iter().all(|flag| seen.contains(*flag)), "{seen:?}");
}

fn compare(seed: u64, answer: &Value, expected: &Lines, seen: &mut BTreeSet<&'static str>) -> usize {
    let mut by_quarter: BTreeMap<i64, BTreeMap<&Name, _>> = BTreeMap::new();
    for (name, cells) in expected {
        for (at, cell) in cells {
            seen.extend(&cell.flags);
            by_quarter.entry(*at).or_default().insert(name, cell);
        }
    }
    let (none, mut count) = (BTreeMap::new(), 0);
    for bucket in answer["buckets"].as_array().unwrap() {
        let start = bucket["start"].as_str().unwrap();
        let at = chrono::DateTime::parse_from_rfc3339(start).unwrap().timestamp() / 900;
        let expected = by_quarter.get(&at).unwrap_or(&none);
        let lines = bucket["lines"].as_array().unwrap();
        let names: BTreeSet<Name> = lines.iter().map(name).collect();
        assert_eq!(names, expected.keys().map(|name| (*name).clone()).collect(), "seed {seed} at {start}");
        for line in lines {
            let cell = expected[&name(line)];
            let place = format!("seed {seed} at {start}: {line} for {cell:?}");
            let amount = |key: &str| (!line[key].is_null()).then(|| micro(&line[key]));
            assert_eq!((amount("amount"), amount("vat")), (cell.amount, cell.vat), "{place}");
            assert_eq!(line["quantity_mwh"].as_i64(), cell.mwh, "{place}");
            let flags: BTreeSet<&str> =
                line["flags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert_eq!(flags, cell.flags, "{place}");
            count += 1;
        }
    }
    count
}

fn name(line: &Value) -> Name {
    let text = |key: &str| line[key].as_str().unwrap_or("").to_owned();
    (text("agreement"), text("version"), text("component"), text("band"))
}
