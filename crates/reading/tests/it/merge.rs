//! What several readings of one instant make, one after the other: the first stays, parts fill each other in any order, and
//! what contradicts changes nothing.

use proptest::prelude::*;
use wattline_reading::{MEASURES, Measures, Meeting, PHASE_MEASURES, Phase, Reading, Timestamp};

fn reading(measures: Measures) -> Reading {
    Reading::new("m", Timestamp::from_micros(0), measures)
}

/// A reading with every measure, different ones.
fn whole() -> Reading {
    let mut measures = Measures::default();
    for (number, measure) in (1_i32..).zip(&MEASURES) {
        (measure.set)(&mut measures, Some(f64::from(number)));
    }
    for phase in 1_i32..=3 {
        let mut one = Phase::default();
        for (number, measure) in (10_i32..).zip(&PHASE_MEASURES) {
            (measure.set)(&mut one, Some(f64::from(phase * 100 + number)));
        }
        measures.phases.push(one);
    }
    Reading { register_epoch: Some(Timestamp::from_micros(5)), ..reading(measures) }
}

/// How many values a reading can have, phases and epoch included.
const VALUES: usize = MEASURES.len() + 3 * PHASE_MEASURES.len() + 1;

/// Those values of `whole` whose bits are set.
fn part(whole: &Reading, mask: u32) -> Reading {
    let mut part = whole.clone();
    let keep = |bit: usize| mask >> bit & 1 == 1;
    for (bit, measure) in MEASURES.iter().enumerate().filter(|(bit, _)| !keep(*bit)) {
        debug_assert!(bit < VALUES);
        (measure.set)(&mut part.measures, None);
    }
    let mut bit = MEASURES.len();
    for phase in &mut part.measures.phases {
        for measure in &PHASE_MEASURES {
            if !keep(bit) {
                (measure.set)(phase, None);
            }
            bit += 1;
        }
    }
    part.register_epoch = part.register_epoch.filter(|_| keep(bit));
    part
}

/// As the store shows it: phases at the end that say nothing are none.
fn said(reading: &Reading) -> Reading {
    let mut said = reading.clone();
    while said.measures.phases.last().is_some_and(Phase::is_empty) {
        said.measures.phases.pop();
    }
    said
}

proptest! {
    #[test]
    fn parts_of_one_telegram_make_it_whole_in_any_order(
        masks in prop::collection::vec(any::<u32>(), 1..8).prop_flat_map(|masks| {
            (Just(masks.clone()), Just(masks).prop_shuffle())
        }),
    ) {
        let whole = whole();
        let joined = |masks: &[u32]| {
            let mut kept = part(&whole, masks[0]);
            for mask in &masks[1..] {
                assert_ne!(kept.absorb(&part(&whole, *mask)), Meeting::Conflict);
            }
            said(&kept)
        };
        let all = masks.0.iter().fold(0, |all, mask| all | mask);
        prop_assert_eq!(joined(&masks.0), joined(&masks.1));
        prop_assert_eq!(joined(&masks.0), said(&part(&whole, all)));
    }

    /// (a ∪ b) ∪ c = a ∪ (b ∪ c) where none contradicts.
    #[test]
    fn joining_is_associative(a in any::<u32>(), b in any::<u32>(), c in any::<u32>()) {
        let whole = whole();
        let [a, b, c] = [a, b, c].map(|mask| part(&whole, mask));
        let (mut left, mut right) = (a.clone(), b.clone());
        left.absorb(&b);
        left.absorb(&c);
        right.absorb(&c);
        let mut outer = a;
        outer.absorb(&right);
        prop_assert_eq!(said(&left), said(&outer));
    }

    /// One value that differs makes all of it a conflict, and nothing of it is taken, however much it would fill.
    #[test]
    fn one_contradiction_is_enough(kept in any::<u32>(), told in any::<u32>(), at in 0..VALUES - 1) {
        let whole = whole();
        let both = 1 << at;
        let mut kept = part(&whole, kept | both);
        let mut told = part(&whole, told | both);
        let change = |value: Option<f64>| value.map(|value| value + 1.0);
        match MEASURES.get(at) {
            Some(measure) => {
                let value = change((measure.get)(&told.measures));
                (measure.set)(&mut told.measures, value);
            }
            None => {
                let (phase, number) = ((at - MEASURES.len()) / 3, (at - MEASURES.len()) % 3);
                let (measure, phase) = (&PHASE_MEASURES[number], &mut told.measures.phases[phase]);
                let value = change((measure.get)(phase));
                (measure.set)(phase, value);
            }
        }
        let before = kept.clone();
        prop_assert_eq!(kept.absorb(&told), Meeting::Conflict);
        prop_assert_eq!(&kept, &before);
        // And the other way round.
        prop_assert_eq!(told.absorb(&before), Meeting::Conflict);
    }
}

#[test]
fn where_and_when_it_came_is_not_compared() {
    let mut kept = whole();
    let mut told = whole();
    told.received_at = Timestamp::from_micros(99);
    told.redelivered = true;
    told.ts_source = wattline_reading::TsSource::Arrival;
    assert_eq!(kept.absorb(&told), Meeting::Duplicate);
    assert_eq!(kept, whole());
}

#[test]
fn another_epoch_of_the_registers_is_a_contradiction() {
    let mut kept = whole();
    let told = Reading { register_epoch: Some(Timestamp::from_micros(6)), ..whole() };
    assert_eq!(kept.absorb(&told), Meeting::Conflict);
    let told = Reading { register_epoch: None, ..whole() };
    assert_eq!(kept.absorb(&told), Meeting::Duplicate);
    let mut none = Reading { register_epoch: None, ..whole() };
    assert_eq!(none.absorb(&whole()), Meeting::Merged);
    assert_eq!(none.register_epoch, Some(Timestamp::from_micros(5)));
}

#[test]
fn a_phase_that_is_missing_is_no_phase_of_zeros() {
    let one = |power_w| Phase { power_w, ..Phase::default() };
    let of = |phases: &[Phase]| reading(Measures { phases: phases.to_vec(), ..Measures::default() });
    let mut kept = of(&[one(Some(1.0))]);
    assert_eq!(kept.absorb(&of(&[Phase::default(), one(Some(0.0))])), Meeting::Merged);
    assert_eq!(kept, of(&[one(Some(1.0)), one(Some(0.0))]));
    assert_eq!(kept.absorb(&of(&[one(None), one(None), one(None)])), Meeting::Duplicate);
    assert_eq!(kept.measures.phases.len(), 2, "phases that say nothing add none");
}
