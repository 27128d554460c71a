use proptest::prelude::*;
use wattline_reading::Measures;

use super::*;
use wattline_stream::Stream;

const PARTITION: Partition = Partition { stream: Stream::Readings, number: 0 };

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
    let mut counts = [Counts::default()];
    let mut conflicts = Vec::new();
    let mut rest = records;
    let mut offset = 0;
    let mut cuts = cuts.iter().copied().cycle();
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
        let incoming = batch
            .iter()
            .zip(offset..)
            .map(|((meter_key, reading, redelivery), offset)| Incoming {
                meter_key: *meter_key,
                reading,
                source: Source { set: 0, partition: PARTITION, offset },
                redelivery: *redelivery,
            })
            .collect();
        let rows = plan(incoming, &table, &mut counts);
        assert!(rows.new.is_sorted_by_key(|(meter_key, row)| (*meter_key, row.ts)));
        for (meter_key, row) in &rows.new {
            assert!(table.insert((*meter_key, row.ts), row.as_ref().clone()).is_none(), "it was there");
        }
        for (meter_key, row) in &rows.filled {
            assert!(table.insert((*meter_key, row.ts), row.as_ref().clone()).is_some(), "it was not there");
        }
        conflicts.extend(rows.conflicts.iter().map(|conflict| conflict.source.offset));
        offset += i64::try_from(batch.len()).unwrap();
        rest = after;
    }
    conflicts.sort_unstable();
    (table, counts[0], conflicts)
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
fn a_copy_under_another_time_needs_an_equal_one_and_a_change() {
    let again = reading(100, Some(1.0), None);
    for (seen, expected) in [
        (vec![], Redelivery::Possible),
        (vec![1.0], Redelivery::Possible),
        (vec![1.0, 1.0], Redelivery::Possible),
        (vec![2.0, 3.0], Redelivery::Possible),
        (vec![1.0, 2.0], Redelivery::Certain),
        (vec![2.0, 1.0], Redelivery::Certain),
    ] {
        let mut window = Window::new(&again);
        for power_w in &seen {
            window.observe(&reading(0, Some(*power_w), None));
        }
        assert_eq!(window.verdict(), expected, "{seen:?}");
    }
}

#[test]
fn only_arrivals_that_were_delivered_again_may_be_copies() {
    let mut reading = reading(0, Some(1.0), None);
    assert!(!may_be_copy(&reading));
    reading.redelivered = true;
    assert!(may_be_copy(&reading));
    reading.ts_source = TsSource::Device;
    assert!(!may_be_copy(&reading));
}
