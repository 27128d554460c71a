use super::*;
use crate::Timestamp;
use proptest::option;
use proptest::prelude::*;

/// A reading with few possible values, so that readings of one instant often agree and often don't.
fn reading() -> impl Strategy<Value = Reading> {
    let value = || option::of((0..3_i8).prop_map(f64::from));
    let phase = (value(), value(), value()).prop_map(|(power_w, voltage_v, current_a)| Phase {
        power_w,
        voltage_v,
        current_a,
    });
    let register = || option::of(0..3_i64);
    (
        (value(), value(), value()),
        (register(), register()),
        (value(), value(), value()),
        prop::collection::vec(phase, 0..=3),
        option::of(0..2_i64),
    )
        .prop_map(|(single, registers, others, phases, epoch)| Reading {
            register_epoch: epoch.map(Timestamp::from_micros),
            ..Reading::new(
                "m",
                Timestamp::from_micros(0),
                Measures {
                    power_w: single.0,
                    energy_import_mwh: registers.0,
                    energy_export_mwh: registers.1,
                    voltage_v: single.1,
                    current_a: single.2,
                    power_factor: others.0,
                    frequency_hz: others.1,
                    soc_pct: others.2,
                    phases,
                },
            )
        })
}

/// Every value of a reading, by name; phases by number.
fn values(reading: &Reading) -> Vec<(String, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let register = |mwh: Option<i64>| mwh.map(|mwh| mwh as f64);
    let measures = &reading.measures;
    let mut values = vec![
        ("power".to_owned(), measures.power_w),
        ("import".to_owned(), register(measures.energy_import_mwh)),
        ("export".to_owned(), register(measures.energy_export_mwh)),
        ("voltage".to_owned(), measures.voltage_v),
        ("current".to_owned(), measures.current_a),
        ("factor".to_owned(), measures.power_factor),
        ("frequency".to_owned(), measures.frequency_hz),
        ("charge".to_owned(), measures.soc_pct),
        ("epoch".to_owned(), register(reading.register_epoch.map(Timestamp::micros))),
    ];
    for (number, phase) in measures.phases.iter().enumerate() {
        values.push((format!("power {number}"), phase.power_w));
        values.push((format!("voltage {number}"), phase.voltage_v));
        values.push((format!("current {number}"), phase.current_a));
    }
    values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

proptest! {
    /// The same by the plain meaning of the words: values by name.
    #[test]
    fn a_meeting_is_what_its_values_say(mut kept in reading(), incoming in reading()) {
        let before = kept.clone();
        let (known, told) = (values(&kept), values(&incoming));
        let contradicts = told.iter().any(|(name, value)| {
            known.iter().any(|(other, known)| other == name && known != value)
        });
        let fills = told.iter().any(|(name, _)| known.iter().all(|(other, _)| other != name));
        prop_assert_eq!(kept.meet(&incoming), kept.clone().absorb(&incoming));
        match kept.absorb(&incoming) {
            Meeting::Conflict => {
                prop_assert!(contradicts);
                prop_assert_eq!(kept, before);
            }
            Meeting::Merged => {
                prop_assert!(!contradicts && fills);
                let now = values(&kept);
                prop_assert!(known.iter().chain(&told).all(|value| now.contains(value)));
                prop_assert!(now.iter().all(|value| known.contains(value) || told.contains(value)));
            }
            Meeting::Duplicate => {
                prop_assert!(!contradicts && !fills);
                prop_assert_eq!(kept, before);
            }
        }
    }

    #[test]
    fn what_was_taken_is_a_duplicate_from_then_on(mut kept in reading(), incoming in reading()) {
        if kept.absorb(&incoming) != Meeting::Conflict {
            prop_assert_eq!(kept.absorb(&incoming), Meeting::Duplicate);
        }
    }

    #[test]
    fn parts_that_agree_give_the_same_in_any_order(whole in reading(), first in any::<u32>(), second in any::<u32>()) {
        let (mut a, b) = (part(&whole, first), part(&whole, second));
        let (mut c, d) = (b.clone(), a.clone());
        a.absorb(&b);
        c.absorb(&d);
        prop_assert_eq!(values(&a), values(&c));
    }
}

/// Some of a reading's values, as a telegram that is split over topics has them.
fn part(whole: &Reading, mask: u32) -> Reading {
    let mut part = whole.clone();
    let keep = |bit: u32| mask >> bit & 1 == 1;
    let measures = &mut part.measures;
    measures.power_w = measures.power_w.filter(|_| keep(0));
    measures.energy_import_mwh = measures.energy_import_mwh.filter(|_| keep(1));
    measures.voltage_v = measures.voltage_v.filter(|_| keep(2));
    measures.frequency_hz = measures.frequency_hz.filter(|_| keep(3));
    part.register_epoch = part.register_epoch.filter(|_| keep(4));
    let phases = usize::try_from(mask >> 5 & 3).unwrap_or(0).min(measures.phases.len());
    measures.phases.truncate(phases);
    part
}
