//! Messages in any order, some left out, some twice: which meter a reading is of, and what it says, is in its own message.

use std::collections::HashMap;

use proptest::prelude::*;
use wattline_reading::{Measures, Meeting, Reading, Reason, Timestamp, TsSource};

use super::{Case, Decoded, Input, Judge, Memory, cases, input, judge};

/// The cases of a file, in its order, each with its judge and what is made of it where none is left out.
struct Story {
    file: String,
    parts: Vec<(Case, Judge, Made)>,
}

/// What is made of a message, without what arrival gives it.
#[derive(Clone, Debug, PartialEq)]
enum Made {
    Readings(Vec<(String, Option<Timestamp>, Measures)>),
    Other(String),
}

fn made(decoded: &Decoded) -> Made {
    match decoded {
        Decoded::Readings(readings) => Made::Readings(readings.iter().map(stamped_by_itself).collect()),
        Decoded::Ignore(why) => Made::Other(why.as_str().to_owned()),
        Decoded::Reject(refusal) => Made::Other(refusal.reason.as_str().to_owned()),
    }
}

fn stamped_by_itself(reading: &Reading) -> (String, Option<Timestamp>, Measures) {
    let ts = (reading.ts_source == TsSource::Device).then_some(reading.ts);
    (reading.meter_id.clone(), ts, reading.measures.clone())
}

fn stories() -> Vec<Story> {
    let mut stories: Vec<Story> = Vec::new();
    let mut memory = Memory::default();
    for case in cases() {
        if stories.last().is_none_or(|story| story.file != case.file) {
            stories.push(Story { file: case.file.clone(), parts: Vec::new() });
            memory = Memory::default();
        }
        let judge = judge(&case);
        let made = made(&judge.decide(&input(&case), &mut memory, |_| {}));
        stories.last_mut().unwrap().parts.push((case, judge, made));
    }
    stories
}

/// A story's messages as they come, by one memory; `look` sees of each its case, what is made of it, and its readings.
fn play(story: &Story, order: &[prop::sample::Index], mut look: impl FnMut(&Case, &Made, &Made, &[Reading])) {
    let mut memory = Memory::default();
    for (number, index) in (1..).zip(order) {
        let (case, judge, expected) = index.get(&story.parts);
        // Every delivery has an instant of its own.
        let received_at = Timestamp::from_micros(case.at.micros() + number);
        let decoded = judge.decide(&Input { received_at, ..input(case) }, &mut memory, |_| {});
        let readings = if let Decoded::Readings(readings) = &decoded { readings.as_slice() } else { &[] };
        look(case, expected, &made(&decoded), readings);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_a_message_says_depends_on_no_other_message(
        file in any::<prop::sample::Index>(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..60),
    ) {
        thread_local! {
            static STORIES: Vec<Story> = stories();
        }
        STORIES.with(|stories| {
            let mut stored: HashMap<(String, Timestamp), Reading> = HashMap::new();
            play(file.get(stories), &order, |case, expected, made, readings| {
                // An alias needs the BIRTH that names it, and without it is asked for: nothing else is made of it.
                let asks = *made == Made::Other(Reason::AliasUnknown.as_str().to_owned());
                assert!(made == expected || (case.file == "sparkplug" && asks), "{} {}: {made:?} for {expected:?}",
                    case.file, case.topic);
                for reading in readings {
                    let known = stored.entry((reading.meter_id.clone(), reading.ts)).or_insert_with(|| reading.clone());
                    let meeting = known.absorb(reading);
                    assert!(meeting != Meeting::Conflict, "{} {}: {reading:?} and {known:?}", case.file, case.topic);
                }
            });
        });
    }
}
