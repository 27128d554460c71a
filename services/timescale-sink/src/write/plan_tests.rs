use proptest::prelude::*;
use wattline_reading::{DeadLetter, Measures};
use wattline_stream::Assignments;

use super::*;
use crate::batch::Refused;

const PARTITION: Partition = Partition::readings(0);

fn reading(ts: i64, power_w: Option<f64>, voltage_v: Option<f64>) -> Reading {
    Reading {
        ts_source: TsSource::Arrival,
        ..Reading::new(
            "m",
            Timestamp::from_micros(ts),
            Measures { power_w, voltage_v, ..Measures::default() },
        )
    }
}

fn redelivery() -> impl Strategy<Value = Redelivery> {
    prop_oneof![8 => Just(Redelivery::No), 1 => Just(Redelivery::Possible), 1 => Just(Redelivery::Certain)]
}

prop_compose! {
    /// A record of one of three meters at one of four instants, with few possible values.
    fn record()(
        meter_key in 0..3_i32,
        ts in 0..4_i64,
        power in prop::option::of(0..2_i8),
        voltage in prop::option::of(0..2_i8),
        redelivery in redelivery(),
    ) -> (i32, Reading, Redelivery) {
        (meter_key, reading(ts, power.map(f64::from), voltage.map(f64::from)), redelivery)
    }
}

/// Writes records to a table in memory, cut into batches of these sizes.
fn write(
    records: &[(i32, Reading, Redelivery)],
    cuts: &[usize],
) -> (HashMap<Key, Reading>, Counts, Vec<i64>) {
    let mut table = HashMap::new();
    let mut counts = Counts::default();
    let mut conflicts = Vec::new();
    let whole = set(records.iter().map(|(meter_key, reading, _)| {
        Content::Reading(Reading { meter_id: meter_key.to_string(), ..reading.clone() })
    }));
    let mut rest = &whole.records[..];
    let mut cuts = cuts.iter().copied().cycle();
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
        let mut plan = Plan::of(&[(&whole, batch)], accept);
        for candidate in &mut plan.open {
            candidate.redelivery = records[usize::try_from(candidate.offset).unwrap()].2;
        }
        let found =
            plan.instants().into_iter().filter_map(|key| Some((key, table.get(&key).cloned()?))).collect();
        plan.decide(&found);
        assert!(plan.rows.is_sorted_by_key(|(meter_key, row)| (*meter_key, row.ts)));
        for (meter_key, row) in &plan.rows {
            assert!(table.insert((*meter_key, row.ts), row.as_ref().clone()).is_none(), "it was there");
        }
        for (meter_key, row) in &plan.updates {
            assert!(table.insert((*meter_key, row.ts), row.as_ref().clone()).is_some(), "it was not there");
        }
        conflicts.extend(plan.conflicts.iter().map(|conflict| conflict.offset));
        counts.add(&plan.counts[0]);
        rest = after;
    }
    conflicts.sort_unstable();
    (table, counts, conflicts)
}

fn set(contents: impl Iterator<Item = Content>) -> Set {
    let assignment = Assignments::default().take(PARTITION);
    let records = (0..).zip(contents).map(|(offset, content)| Record { offset, payload: 0..0, content });
    Set {
        partition: PARTITION,
        assignment,
        first_offset: 0,
        records: records.collect(),
        hole: None,
        mark: None,
        payloads: Vec::new(),
    }
}

/// The registry: a meter's id is its key, the table may have anything.
fn accept(reading: &Reading) -> Result<Accepted, (Reason, String)> {
    match reading.meter_id.parse() {
        Ok(meter_key) => Ok(Accepted { meter_key, may_be_known: true }),
        Err(_) => Err((Reason::MeterRefused, "not a number".to_owned())),
    }
}

proptest! {
    #[test]
    fn outcomes_do_not_depend_on_how_records_are_cut_into_batches(
        records in prop::collection::vec(record(), 0..40),
        cuts in prop::collection::vec(1..12_usize, 1..6),
    ) {
        let one_by_one = write(&records, &[1]);
        prop_assert_eq!(&write(&records, &cuts), &one_by_one);
        prop_assert_eq!(&write(&records, &[records.len().max(1)]), &one_by_one);
        let (table, counts, conflicts) = one_by_one;
        let outcomes = counts.stored + counts.merged + counts.duplicate + counts.conflict;
        prop_assert_eq!(outcomes, i64::try_from(records.len()).unwrap(), "one outcome a record");
        prop_assert_eq!(counts.stored, i64::try_from(table.len()).unwrap());
        prop_assert_eq!(counts.conflict, i64::try_from(conflicts.len()).unwrap());
    }
}

#[test]
fn only_arrivals_that_were_delivered_again_may_be_copies() {
    let mut reading = reading(0, Some(1.0), None);
    assert_eq!(may_be_copy(&reading), Redelivery::No);
    reading.redelivered = true;
    assert_eq!(may_be_copy(&reading), Redelivery::Possible);
    reading.ts_source = TsSource::Device;
    assert_eq!(may_be_copy(&reading), Redelivery::No);
}

#[test]
fn what_cannot_be_a_reading_is_a_letter_and_the_rest_goes_on() {
    let letter = DeadLetter {
        mqtt_topic: "a/b".to_owned(),
        payload: vec![7],
        reason: "malformed".to_owned(),
        detail: "no number".to_owned(),
        received_at: Timestamp::from_micros(5),
        retained: true,
        route: None,
        broker: Some("b".to_owned()),
    };
    let refused =
        Refused { reason: Reason::RecordUndecodable, detail: "cut off".to_owned(), key: b"k".to_vec() };
    let known = Reading { meter_id: "3".to_owned(), ..reading(9, Some(1.0), None) };
    let contents = [
        Content::Letter(letter),
        Content::Refused(refused),
        Content::Reading(reading(8, Some(1.0), None)),
        Content::Reading(known),
    ];
    let set = set(contents.into_iter());
    let mut plan = Plan::of(&[(&set, &set.records)], accept);
    assert_eq!(plan.instants(), [(3, Timestamp::from_micros(9))]);
    plan.decide(&HashMap::new());
    assert_eq!((plan.rows.len(), plan.rows[0].0), (1, 3));
    let letters: Vec<_> = plan
        .letters
        .iter()
        .map(|letter| (letter.offset, letter.reason, letter.mqtt_topic, letter.record_key))
        .collect();
    assert_eq!(
        letters,
        [
            (0, "malformed", Some("a/b"), None),
            (1, "record_undecodable", None, Some(&b"k"[..])),
            (2, "meter_refused", None, Some(&b"m"[..])),
        ]
    );
}
