use super::*;
use wattline_reading::{Measures, Timestamp};

fn reading(meter_id: &str, second: i64) -> Reading {
    Reading::new(
        meter_id,
        Timestamp::from_micros(second * 1_000_000),
        Measures { power_w: Some(1.0), ..Measures::default() },
    )
}

fn offsets(follower: &mut Follower) -> Vec<i64> {
    std::iter::from_fn(|| match follower.take() {
        Some(Taken::Reading { offset, .. }) => Some(offset),
        _ => None,
    })
    .collect()
}

#[test]
fn a_follower_gets_its_meter_only_and_everything_after_its_offset() {
    let ring = Ring::new(1 << 20, 100);
    ring.begin(&[10, 0]);
    for offset in 10..20 {
        let meter = if offset % 2 == 0 { "even" } else { "odd" };
        ring.push(0, offset, Some(reading(meter, offset)));
    }
    let mut follower = ring.follow("even");
    assert_eq!(follower.take(), None, "it begins at the end");
    assert_eq!(follower.seek(0, 15).unwrap().len(), 3, "10, 12 and 14 lie before");
    assert_eq!(offsets(&mut follower), [16, 18]);
    ring.push(0, 20, Some(reading("even", 20)));
    assert_eq!(offsets(&mut follower), [20]);
}

#[test]
fn an_offset_ahead_of_the_tail_waits_for_it() {
    let ring = Ring::new(1 << 20, 100);
    ring.begin(&[0]);
    let mut follower = ring.follow("a");
    follower.seek(0, 3).unwrap();
    for offset in 0..5 {
        ring.push(0, offset, Some(reading("a", offset)));
    }
    assert_eq!(offsets(&mut follower), [3, 4], "0 to 2 were in the snapshot");
}

#[test]
fn what_gave_way_is_missing_not_skipped() {
    let bytes = bytes_of(&reading("a", 0));
    let ring = Ring::new(10 * bytes, 100);
    ring.begin(&[0]);
    for offset in 0..25 {
        ring.push(0, offset, Some(reading("a", offset)));
    }
    assert_eq!(ring.fill().readings, 10);
    assert!(ring.fill().bytes <= 10 * bytes);
    let mut follower = ring.follow("a");
    assert_eq!(follower.seek(0, 14), Err(Missing { first_offset: 15 }));
    assert_eq!(offsets(&mut follower).len(), 10, "it stands at the ring's beginning");
    assert!(follower.seek(0, 15).is_ok());
}

#[test]
fn a_slow_follower_loses_its_oldest_and_is_told_how_many() {
    let ring = Ring::new(1 << 20, 5);
    ring.begin(&[0]);
    let mut follower = ring.follow("a");
    for offset in 0..12 {
        ring.push(0, offset, Some(reading("a", offset)));
    }
    assert_eq!(follower.take(), Some(Taken::Lost(7)));
    assert_eq!(offsets(&mut follower), [7, 8, 9, 10, 11]);
}

#[test]
fn a_record_that_is_read_again_changes_nothing() {
    let ring = Ring::new(1 << 20, 100);
    ring.begin(&[0]);
    let mut follower = ring.follow("a");
    ring.push(0, 0, Some(reading("a", 0)));
    ring.push(0, 0, Some(reading("a", 0)));
    ring.push(0, 1, None);
    assert_eq!(offsets(&mut follower), [0]);
    assert_eq!(ring.next_offsets(), [2], "what is no reading was still passed");
}

#[test]
fn a_new_beginning_is_told_to_all() {
    let ring = Ring::new(1 << 20, 100);
    ring.begin(&[0]);
    let mut follower = ring.follow("a");
    ring.push(0, 0, Some(reading("a", 0)));
    ring.begin(&[0]);
    assert_eq!(follower.take(), Some(Taken::Reset));
    assert_eq!(follower.take(), None);
    follower.seek(0, 0).unwrap();
    ring.push(0, 0, Some(reading("a", 0)));
    assert_eq!(offsets(&mut follower), [0]);
}

#[test]
fn meters_without_readings_and_followers_are_forgotten() {
    let bytes = bytes_of(&reading("a", 0));
    let ring = Ring::new(2 * bytes, 100);
    ring.begin(&[0]);
    for (offset, meter) in ["a", "b", "c", "d"].into_iter().enumerate() {
        ring.push(0, i64::try_from(offset).unwrap(), Some(reading(meter, 0)));
    }
    assert_eq!(ring.fill().meters, 2);
    let one = ring.follow("x");
    let two = ring.follow("x");
    assert_eq!(ring.fill().meters, 3);
    drop(one);
    assert_eq!(ring.fill().meters, 3);
    drop(two);
    assert_eq!(ring.fill().meters, 2);
}

#[tokio::test]
async fn a_waiting_follower_is_woken() {
    let ring = Ring::new(1 << 20, 100);
    ring.begin(&[0]);
    let mut follower = ring.follow("a");
    let waiting = tokio::spawn(async move { follower.next().await });
    tokio::task::yield_now().await;
    ring.push(0, 0, Some(reading("a", 0)));
    assert!(matches!(waiting.await.unwrap(), Taken::Reading { offset: 0, .. }));
}
