//! What is known after births and deaths, and that it is bounded.

use super::*;
use crate::unit::{Dimension, Unit};

const METER: Who<'_> = Who { node: "g/n", device: "meter" };
const NODE: Who<'_> = Who { node: "g/n", device: "" };

fn metric(name: &str) -> Metric {
    Metric { name: name.to_owned(), datatype: Some(2), unit: Told::Unit(Unit::Kilo, Dimension::Power) }
}

/// A memory that was told of one alias of the node and one of the meter.
fn born() -> Memory {
    let mut memory = Memory::default();
    memory.begin_node("g/n");
    memory.set_session("g/n", 7);
    memory.learn(NODE, Some(1), metric("of the node"));
    memory.begin(METER);
    memory.learn(METER, Some(1), metric("power"));
    memory
}

fn is_missing(memory: &Memory, who: Who<'_>) -> bool {
    matches!(memory.birth(who), Birth::Missing)
}

fn is_unseen(memory: &Memory, who: Who<'_>) -> bool {
    matches!(memory.birth(who), Birth::Unseen)
}

#[test]
fn a_birth_forgets_the_one_before() {
    let mut memory = born();
    memory.learn(METER, None, metric("energy"));
    let meter = memory.birth(METER);
    assert_eq!(meter.by_alias(1), Some(&metric("power")));
    assert_eq!(meter.by_name("energy"), Some(&metric("energy")));
    assert_eq!(meter.by_name("power"), Some(&metric("power")), "DATA may call it by either");
    assert_eq!((meter.by_alias(2), meter.by_name("x")), (None, None));
    assert!(is_unseen(&memory, Who { node: "h/n", device: "meter" }));
    let bytes = memory.bytes;
    memory.begin(METER);
    assert_eq!(memory.birth(METER).by_alias(1), None);
    memory.learn(METER, Some(1), metric("power"));
    memory.learn(METER, None, metric("energy"));
    assert_eq!(memory.bytes, bytes);
}

#[test]
fn a_birth_of_the_node_ends_those_of_its_devices() {
    let mut memory = born();
    memory.begin_node("g/n");
    assert!(is_missing(&memory, METER), "it was born in a session that is over");
    assert!(memory.birth(NODE).by_alias(1).is_none());
    memory.begin(METER);
    assert!(matches!(memory.birth(METER), Birth::Seen(_)));
}

#[test]
fn the_dead_are_forgotten_by_the_session_that_they_are_of() {
    let mut memory = born();
    memory.end_node("g/n", Some(6));
    assert!(memory.birth(METER).by_alias(1).is_some(), "the will of an older session comes late");
    memory.end(METER);
    assert!(is_missing(&memory, METER));
    memory.end_node("g/n", Some(7));
    assert!(is_unseen(&memory, METER) && memory.bytes == 0);
    let mut memory = born();
    memory.end_node("g/n", None);
    assert!(is_unseen(&memory, METER));
}

#[test]
fn what_was_not_born_before_our_eyes_is_unseen() {
    let mut memory = Memory::default();
    memory.learn(METER, Some(1), metric("power"));
    assert!(is_unseen(&memory, METER), "only after its BIRTH has begun");
    memory.begin(METER);
    assert!(is_unseen(&memory, Who { device: "other", ..METER }), "the node's own BIRTH was before");
}

#[test]
fn the_name_of_no_measure_is_not_kept_and_its_alias_is() {
    let mut memory = born();
    memory.learn(METER, Some(9), metric(&"x".repeat(NAME_BYTES_MAX + 1)));
    assert_eq!(memory.birth(METER).by_alias(9), Some(&Metric::default()));
    assert!(!memory.birth(METER).is_cut());
}

#[test]
fn many_long_names_fill_the_budget_and_no_more() {
    let mut memory = Memory::default();
    let name = "x".repeat(NAME_BYTES_MAX - 8);
    let devices = BYTES_MAX / 1000 / (2 * NAME_BYTES_MAX) + 1;
    memory.begin_node("g/n");
    for device in 0..devices {
        let device = device.to_string();
        let who = Who { device: &device, ..METER };
        memory.begin(who);
        for alias in 0..1000 {
            memory.learn(who, Some(alias), metric(&format!("{name}{alias}")));
        }
    }
    assert!(memory.bytes <= BYTES_MAX && memory.bytes > BYTES_MAX - 2048, "{}", memory.bytes);
    let first = Who { device: "0", ..METER };
    assert!(memory.birth(first).by_alias(999).is_some() && !memory.birth(first).is_cut());
    let last = (devices - 1).to_string();
    assert!(is_missing(&memory, Who { device: &last, ..METER }), "there was no room: it is asked for again");
    let cut = (0..devices).map(|device| device.to_string());
    assert!(cut.clone().any(|device| memory.birth(Who { device: &device, ..METER }).is_cut()));
    memory.begin(first);
    memory.learn(first, Some(1), metric("power"));
    assert!(memory.birth(first).by_alias(1).is_some(), "what a device gave back another may take");
    memory.begin_node("g/n");
    assert!(memory.bytes < 4 * DEVICE_BYTES, "a node gives all of it back: {}", memory.bytes);
}
