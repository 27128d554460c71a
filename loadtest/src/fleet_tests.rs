use std::collections::HashMap;

use super::*;
use crate::plan::Disturbances;

fn plan() -> Arc<Plan> {
    Arc::new(Plan {
        seed: 11,
        prefix: "m".to_owned(),
        meters: 50,
        readings: 400,
        interval_ms: 10_000,
        start: Timestamp::from_micros(1_795_168_800_000_000),
        three_phase_share: 0.3,
        payload_bytes: 0,
        mixed: false,
        disturbances: Disturbances::USUAL,
    })
}

fn fleets(plan: &Arc<Plan>, connections: u32) -> Vec<Fleet> {
    let end = Arc::new(End::after(plan.readings));
    (0..connections)
        .map(|connection| Fleet::new(Arc::clone(plan), connection, connections, Arc::clone(&end)))
        .collect()
}

#[test]
fn connections_that_are_at_different_places_end_as_one_shorter_plan() {
    let plan = plan();
    let end = Arc::new(End::after(plan.readings));
    let fleet = |connection| Fleet::new(Arc::clone(&plan), connection, 2, Arc::clone(&end));
    let (mut slow, mut fast) = (fleet(0), fleet(1));
    let mut sent: u64 = 0;
    sent += slow.by_ref().take(100).count() as u64;
    sent += fast.by_ref().take(1000).count() as u64;
    let shorter = Plan { readings: end.now(), ..(*plan).clone() };
    assert!((30..50).contains(&shorter.readings), "{}", shorter.readings);
    sent += slow.count() as u64 + fast.count() as u64;
    assert_eq!(sent, shorter.expected().messages);
}

#[test]
fn every_message_of_the_expectation_is_sent_however_many_connections_share_it() {
    let plan = plan();
    let expected = plan.expected();
    for connections in [1, 3] {
        let messages: Vec<Message> = fleets(&plan, connections).into_iter().flatten().collect();
        assert_eq!(messages.len() as u64, expected.messages);
        let mut copies: HashMap<(Arc<str>, Vec<u8>), u64> = HashMap::new();
        for message in messages {
            *copies.entry((message.topic, message.payload)).or_default() += 1;
        }
        assert_eq!(copies.values().filter(|&&count| count == 2).count() as u64, expected.duplicate);
        assert_eq!(copies.len() as u64, expected.messages - expected.duplicate);
    }
    for (count, percent) in [
        (expected.duplicate, 1.0),
        (expected.dead_letters, 0.5),
        (expected.conflict, 0.2),
        (expected.merged, 1.0),
    ] {
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let share = count as f64 * 100.0 / expected.stored as f64;
        assert!((share - percent).abs() < 0.3, "{share} % for {percent} %");
    }
}

#[test]
fn what_is_sent_is_what_is_checked() {
    let plan = plan();
    let mut sent: HashMap<(String, i64), Vec<u8>> = HashMap::new();
    for message in fleets(&plan, 1).remove(0) {
        if let Some(ts) = message.first_of {
            sent.insert((message.topic.to_string(), ts.micros()), message.payload);
        }
    }
    for meter in 0..plan.meters {
        for (index, sample) in (0..).zip(samples(&plan, meter)) {
            if plan.disturbance(meter, index) == Disturbance::Split {
                continue;
            }
            let mut json = Vec::new();
            sample.write_json(Part::Whole, &mut json);
            assert_eq!(sent.get(&(plan.topic(meter), sample.ts.micros())), Some(&json));
        }
    }
}

#[test]
fn held_messages_come_after_later_ones() {
    let plan = plan();
    let mut newest: HashMap<Arc<str>, Timestamp> = HashMap::new();
    let mut late = 0;
    for message in fleets(&plan, 1).remove(0) {
        let Some(ts) = message.first_of else { continue };
        let newest = newest.entry(message.topic).or_insert(ts);
        late += u64::from(ts < *newest);
        *newest = ts.max(*newest);
    }
    assert!(late > 100, "{late} of 20,000 readings came late");
}

#[test]
fn messages_are_as_long_as_they_shall_be_and_say_the_same() {
    let read = |message: &Message| serde_json::from_slice::<serde_json::Map<_, _>>(&message.payload);
    let (short, long) = (plan(), Arc::new(Plan { payload_bytes: 250, ..(*plan()).clone() }));
    let pairs = fleets(&short, 1).into_iter().flatten().zip(fleets(&long, 1).into_iter().flatten());
    let mut filled = 0;
    for (short, long) in pairs.take(2000) {
        let (Ok(short_object), Ok(mut long_object)) = (read(&short), read(&long)) else {
            assert_eq!(short.payload, long.payload, "what is no object is sent as it is");
            continue;
        };
        if long_object.get("note").is_some_and(|note| note.as_str().unwrap().starts_with('x')) {
            long_object.remove("note");
            assert_eq!(long.payload.len(), 250);
            filled += 1;
        }
        assert_eq!(short_object, long_object);
    }
    assert!(filled > 1000, "{filled}");
}
