use proptest::prelude::*;

use super::*;

const PACE: Pace =
    Pace { linger_ms: 1_000, open_refresh_ms: 60_000, spill_after_ms: 60_000, live_span_us: 86_400_000_000 };
const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

fn at(steady_ms: u64) -> Now {
    Now { steady_ms, wall_us: 100 * DAY_US + i64::try_from(steady_ms).unwrap() * 1_000 }
}

fn take(marks: &mut Marks, stored_offset: i64, now: Now) -> Vec<Taken> {
    let mut taken = Vec::new();
    marks.take(stored_offset, 1_000, now, &mut taken);
    taken
}

#[test]
fn a_mark_waits_for_the_sink_and_stands_still_meanwhile() {
    let mut marks = Marks::new(PACE);
    marks.add("a", DAY_US, 7, at(0));
    assert!(take(&mut marks, 100, at(999)).is_empty(), "it may grow for a second");
    marks.add("a", DAY_US + SECOND_US, 8, at(999));
    assert!(take(&mut marks, 8, at(1_000)).is_empty(), "the sink has 7 only");
    // Sealed: the next record makes a mark of its own, or a busy meter would never be computed.
    marks.add("a", DAY_US + 2 * SECOND_US, 9, at(1_001));
    assert_eq!(marks.len(), 2);
    let taken = take(&mut marks, 9, at(1_002));
    assert_eq!(taken[0].changed, Changed { first_us: DAY_US, last_us: DAY_US + SECOND_US });
    assert_eq!(marks.first_offset(), Some(9));
    marks.clear_taken(at(1_003));
    assert_eq!((marks.len(), marks.first_offset()), (1, Some(9)));
}

#[test]
fn an_open_bucket_is_refreshed_once_a_minute() {
    let mut marks = Marks::new(PACE);
    let mut refreshes = 0;
    for second in 0..600_u64 {
        let now = at(second * 1_000);
        let offset = i64::try_from(second).unwrap();
        marks.add("a", now.wall_us, offset, now);
        refreshes += take(&mut marks, offset + 1, now).len();
        marks.clear_taken(now);
    }
    assert!((9..=11).contains(&refreshes), "{refreshes} in ten minutes");
    // A row of yesterday does not wait.
    let yesterday_us = at(600_000).wall_us - DAY_US;
    marks.add("a", yesterday_us, 600, at(600_000));
    let taken = take(&mut marks, 601, at(601_000));
    assert!(taken.iter().any(|taken| taken.changed.first_us == yesterday_us));
}

#[test]
fn a_meter_that_catches_up_is_computed_ever_less_often_and_no_later_than_it_took() {
    let mut marks = Marks::new(PACE);
    let mut computed_ms = Vec::new();
    let mut send = |marks: &mut Marks, from_ms: u64, until_ms: u64, sends: bool| {
        for ms in (from_ms..until_ms).step_by(200) {
            let offset = i64::try_from(ms).unwrap();
            if sends {
                marks.add("a", DAY_US + 50 * offset * 1_000, offset, at(ms));
            }
            let taken = take(marks, offset + 1, at(ms)).len();
            computed_ms.extend((0..taken).map(|_| ms));
            marks.clear_taken(at(ms));
        }
    };
    send(&mut marks, 0, 20_000, true);
    send(&mut marks, 20_000, 100_000, false);
    assert!(marks.is_empty());
    // After it is over, what was shown last is at most as far behind as all of it has taken.
    let steps: Vec<u64> = computed_ms.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(computed_ms[0], 1_000);
    assert!(steps.windows(2).all(|pair| pair[1] >= pair[0]), "{computed_ms:?}");
    assert!((4..=7).contains(&computed_ms.len()), "{computed_ms:?}");
    assert!(*computed_ms.last().unwrap() < 40_000, "{computed_ms:?}");
    // Two minutes later a late reading is computed as soon as ever.
    marks.add("a", DAY_US, 200_000, at(200_000));
    assert_eq!(take(&mut marks, 200_001, at(201_000)).len(), 1);
}

#[test]
fn catching_up_goes_on_once_a_minute() {
    let mut marks = Marks::new(PACE);
    let mut computed = 0;
    for second in 0..1_800_u64 {
        let (now, offset) = (at(second * 1_000), i64::try_from(second).unwrap());
        marks.add("a", DAY_US + offset * SECOND_US, offset, now);
        computed += take(&mut marks, offset + 1, now).len();
        marks.clear_taken(now);
    }
    assert!((30..=37).contains(&computed), "{computed} in half an hour");
}

/// Of a host whose clock is wrong or was set: when something is due goes by the clock that nobody sets, so a wrong day
/// makes rows look open or ended, which costs some recomputations or a minute, and never a row.
#[test]
fn a_clock_that_is_wrong_or_jumps_loses_and_delays_nothing() {
    let hour_us = 3_600 * SECOND_US;
    let wrong: [fn(u64) -> i64; 5] = [
        |_| 0,
        |_| -1,
        |_| 1,
        |second| if second < 300 { 0 } else { -1 },
        |second| if second < 300 { 0 } else { 1 },
    ];
    for (case, hours) in wrong.into_iter().enumerate() {
        let mut marks = Marks::new(PACE);
        let (mut computed, mut newest_us) = (0, 0);
        for second in 0..720_u64 {
            let (right, offset) = (at(second * 1_000), i64::try_from(second).unwrap());
            let now = Now { wall_us: right.wall_us + hours(second) * hour_us, ..right };
            if second < 600 {
                marks.add("a", right.wall_us, offset, now);
            }
            let taken = take(&mut marks, offset + 1, now);
            computed += taken.len();
            newest_us = taken.iter().map(|taken| taken.changed.last_us).fold(newest_us, i64::max);
            marks.clear_taken(now);
        }
        assert!(marks.is_empty(), "{case}");
        assert_eq!(newest_us, at(599_000).wall_us, "{case}");
        assert!((9..=20).contains(&computed), "{case}: {computed} in ten minutes");
    }
}

#[test]
fn what_failed_is_taken_again() {
    let mut marks = Marks::new(PACE);
    marks.add("a", DAY_US, 7, at(0));
    assert_eq!(take(&mut marks, 8, at(2_000)).len(), 1);
    assert_eq!(marks.first_offset(), None, "nothing else is left");
    marks.release_taken();
    assert_eq!(marks.first_offset(), Some(7));
    assert_eq!(take(&mut marks, 8, at(2_000)).len(), 1);
}

#[test]
fn old_and_long_marks_are_spilled_but_none_that_the_sink_lacks() {
    let mut marks = Marks::new(PACE);
    marks.add("old", DAY_US, 7, at(0));
    marks.add("ahead", DAY_US, 8, at(0));
    assert!(marks.take_to_spill(8, 10, false, at(60_999)).is_empty());
    let spilled = marks.take_to_spill(8, 10, false, at(61_000));
    assert_eq!(spilled.iter().map(|taken| &*taken.meter).collect::<Vec<_>>(), ["old"]);
    marks.clear_taken(at(61_000));

    for hour in 0..=25 {
        marks.add("long", DAY_US + hour * 3_600 * SECOND_US, 9 + hour, at(61_000));
    }
    assert_eq!(take(&mut marks, 100, at(62_000)).len(), 1, "only the one that was ahead");
    assert_eq!(marks.take_to_spill(100, 10, false, at(62_000)).len(), 1);
    marks.clear_taken(at(62_000));
    assert!(marks.is_empty());
}

#[test]
fn when_there_are_too_many_all_may_be_spilled() {
    let mut marks = Marks::new(PACE);
    for offset in 0..10 {
        marks.add(&format!("m{offset}"), DAY_US, offset, at(0));
    }
    assert_eq!(marks.take_to_spill(8, 5, true, at(0)).len(), 5);
    assert_eq!(marks.take_to_spill(8, 100, true, at(0)).len(), 3);
    marks.clear_taken(at(0));
    assert_eq!(marks.len(), 2);
}

#[test]
fn idle_meters_are_forgotten() {
    let mut marks = Marks::new(PACE);
    marks.add("a", at(0).wall_us, 0, at(0));
    take(&mut marks, 1, at(1_000));
    marks.clear_taken(at(1_000));
    assert_eq!(marks.meters.len(), 1, "remembers its refresh");
    marks.clear_taken(at(601_001));
    assert!(marks.meters.is_empty());
}

proptest! {
    /// Whatever comes in whatever order: every record is in a range that was taken while the sink had it, and the
    /// first offset never passes one that was not.
    #[test]
    fn no_record_is_forgotten(
        records in prop::collection::vec((0_usize..4, 0_i64..400, 0_u64..3_000, any::<bool>(), any::<bool>()), 1..150)
    ) {
        let mut marks = Marks::new(PACE);
        let mut open: Vec<(String, i64, i64)> = Vec::new();
        let mut steady_ms = 0;
        let mut sink = 0;
        for (offset, (meter, quarter, wait_ms, sink_keeps_up, commits)) in (0_i64..).zip(&records) {
            steady_ms += wait_ms;
            let (meter, ts_us) = (format!("m{meter}"), quarter * QUARTER_HOUR_US / 3);
            marks.add(&meter, ts_us, offset, at(steady_ms));
            open.push((meter, ts_us, offset));
            if *sink_keeps_up {
                sink = offset + 1;
            }
            let mut taken = take(&mut marks, sink, at(steady_ms));
            taken.extend(marks.take_to_spill(sink, 3, offset % 7 == 0, at(steady_ms)));
            let after = marks.first_offset().unwrap_or(offset + 1);
            if *commits {
                open.retain(|(meter, ts_us, offset)| {
                    let seen = taken.iter().any(|taken| {
                        *taken.meter == **meter && (taken.changed.first_us..=taken.changed.last_us).contains(ts_us)
                    });
                    !(seen && *offset < sink)
                });
                marks.clear_taken(at(steady_ms));
                let first_open = open.iter().map(|(_, _, offset)| *offset).min().unwrap_or(i64::MAX);
                prop_assert!(after <= first_open, "{after} passes {first_open}");
            } else {
                marks.release_taken();
            }
        }
        steady_ms += 200_000;
        let end = i64::try_from(records.len()).unwrap();
        take(&mut marks, end, at(steady_ms));
        marks.take_to_spill(end, 1_000, true, at(steady_ms));
        marks.clear_taken(at(steady_ms));
        prop_assert!(marks.is_empty());
    }
}
