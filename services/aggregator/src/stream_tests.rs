//! What the consuming thread and the computing task share: who owns what, how far it was read, what may be computed.

use wattline_energy::reach::Changed;

use super::*;

const PACE: Pace =
    Pace { linger_ms: 1_000, open_refresh_ms: 60_000, spill_after_ms: 60_000, live_span_us: 86_400_000_000 };

fn at(steady_ms: u64) -> Now {
    Now { steady_ms, wall_us: 100 * 86_400_000_000 }
}

/// Partitions that are ours from offset 10 on.
fn owned(numbers: &[i32]) -> Stream {
    let stream = Stream::new(PACE);
    for number in numbers {
        stream.assign(*number);
        stream.lock().get_mut(number).unwrap().own(10);
    }
    stream
}

/// A record was read: its meter's row at this instant.
fn read(stream: &Stream, number: i32, meter: &str, offset: i64) {
    let mut partitions = stream.lock();
    let entry = partitions.get_mut(&number).unwrap();
    entry.read(offset);
    entry.marks.add(meter, offset * 1_000_000, offset, at(0));
}

#[test]
fn a_partition_is_ours_when_the_database_says_so() {
    let stream = Stream::new(PACE);
    stream.assign(3);
    assert_eq!(stream.owned(), [] as [i32; 0]);
    assert!(stream.lock()[&3].paused, "nothing is read before");
    assert!(stream.assignments().has(Id::readings(3)));
    stream.lock().get_mut(&3).unwrap().own(42);
    assert_eq!(stream.owned(), [3]);
    let entry = &stream.lock()[&3];
    assert_eq!((entry.position, entry.own_offset, entry.sink_offset, entry.seek), (42, 42, 0, true));
}

#[test]
fn what_is_taken_away_is_forgotten_with_its_marks() {
    let stream = owned(&[0, 1]);
    read(&stream, 0, "a", 10);
    read(&stream, 1, "b", 10);
    stream.revoke(0);
    assert_eq!((stream.owned(), stream.mark_count()), (vec![1], 1));
    assert!(!stream.assignments().has(Id::readings(0)));
    stream.assign(0);
    assert_eq!((stream.owned(), stream.mark_count()), (vec![1], 1), "given again, it begins anew");
}

/// The own offset stays before a hole until Kafka has said that there is nothing in it.
#[test]
fn an_own_offset_does_not_go_into_a_hole() {
    let stream = owned(&[0, 1]);
    let done = |stream: &Stream| stream.lock()[&0].done();
    stream.lock().get_mut(&0).unwrap().read(10);
    assert_eq!((done(&stream), stream.holes()), (11, vec![]));
    stream.lock().get_mut(&0).unwrap().read(13);
    let [(0, hole)] = stream.holes()[..] else { panic!("{:?}", stream.holes()) };
    stream.lock().get_mut(&0).unwrap().read(14);
    stream.lock().get_mut(&0).unwrap().read(17);
    assert_eq!(done(&stream), 11);
    stream.close_hole(0, hole);
    assert_eq!(done(&stream), 13, "the second one was found after Kafka was asked");
    let [(0, hole)] = stream.holes()[..] else { panic!("{:?}", stream.holes()) };
    stream.close_hole(0, hole);
    assert_eq!((done(&stream), stream.holes()), (18, vec![]));
    // An answer of before the partition was claimed anew says nothing of what lies before the hole that was meant.
    stream.lock().get_mut(&0).unwrap().own(9);
    stream.lock().get_mut(&0).unwrap().read(18);
    stream.close_hole(0, hole);
    assert_eq!(done(&stream), 9);
    stream.lock().get_mut(&0).unwrap().own(18);
    read(&stream, 0, "a", 18);
    assert_eq!(done(&stream), 18, "what is marked is not done");
}

#[test]
fn a_lost_row_is_claimed_again_later() {
    let stream = owned(&[0, 1]);
    read(&stream, 0, "a", 10);
    stream.lose(&[0, 9], 500);
    assert_eq!(stream.owned(), [1]);
    assert_eq!(stream.lock()[&0].state, State::Assigned(500));
    assert_eq!(stream.mark_count(), 0, "from the row's offset on it is read again");
    assert!(stream.assignments().has(Id::readings(0)), "it is still the group's word");
    stream.claim_again(0, 900);
    assert_eq!(stream.lock()[&0].state, State::Assigned(900));
    stream.claim_again(1, 900);
    assert_eq!(stream.lock()[&1].state, State::Owned, "what is ours needs no claim");
    stream.lock().get_mut(&0).unwrap().state = State::Stopped(1, "why".to_owned());
    stream.claim_again(0, 950);
    assert_eq!(stream.lock()[&0].state, State::Stopped(950, "why".to_owned()));
}

#[test]
fn only_what_the_sink_has_stored_is_taken() {
    let stream = owned(&[0, 1]);
    read(&stream, 0, "a", 10);
    read(&stream, 1, "b", 10);
    assert!(stream.take(100, at(2_000)).is_empty());
    stream.see_sink([(0, 11), (7, 99)].into_iter());
    let taken = stream.take(100, at(2_000));
    assert_eq!(taken.len(), 1);
    assert_eq!((taken[0].0, &*taken[0].1.meter), (0, "a"));
    assert_eq!(taken[0].1.changed, Changed { first_us: 10_000_000, last_us: 10_000_000 });
    assert!(stream.take(100, at(2_000)).is_empty(), "once");
    stream.release_taken();
    assert_eq!(stream.take(100, at(2_000)).len(), 1, "a transaction that was rolled back has done nothing");
    stream.clear_taken(at(2_000));
    assert_eq!(stream.mark_count(), 1);
}

#[test]
fn a_group_has_a_bound_over_all_partitions() {
    let stream = owned(&[0, 1, 2]);
    for number in 0..3 {
        for meter in 0..4 {
            read(&stream, number, &format!("{number}-{meter}"), 10 + meter);
        }
    }
    stream.see_sink((0..3).map(|number| (number, 100)));
    assert_eq!(stream.take(5, at(2_000)).len(), 5);
    stream.clear_taken(at(2_000));
    assert_eq!(stream.take(100, at(2_000)).len(), 7);
}

#[test]
fn the_sinks_offset_never_goes_back() {
    let stream = owned(&[0]);
    stream.see_sink([(0, 20)].into_iter());
    stream.see_sink([(0, 15)].into_iter());
    assert_eq!(stream.lock()[&0].sink_offset, 20);
}

#[test]
fn how_far_it_was_read_ahead() {
    let stream = owned(&[0]);
    assert_eq!(stream.lock()[&0].ahead(), 0);
    read(&stream, 0, "a", 14);
    assert_eq!(stream.lock()[&0].ahead(), 5, "of the own offset, as long as the sink's is not known");
    stream.see_sink([(0, 13)].into_iter());
    assert_eq!(stream.lock()[&0].ahead(), 2);
    stream.see_sink([(0, 50)].into_iter());
    assert_eq!(stream.lock()[&0].ahead(), 0);
}

#[test]
fn an_own_offset_has_somewhere_to_go_when_something_was_read() {
    let stream = owned(&[0]);
    assert!(!stream.wants_advance());
    read(&stream, 0, "a", 10);
    assert!(stream.wants_advance());
    let mut partitions = stream.lock();
    let entry = partitions.get_mut(&0).unwrap();
    entry.own_offset = entry.position;
    drop(partitions);
    assert!(stream.wants_advance(), "a mark still waits");
    stream.see_sink([(0, 11)].into_iter());
    assert_eq!(stream.take(100, at(2_000)).len(), 1);
    stream.clear_taken(at(2_000));
    assert!(!stream.wants_advance());
}
