//! Sparkplug B: names are in a BIRTH, values may come by alias alone; the payload is protobuf.

use proptest::prelude::*;
use wattline_formats::draft::Outcome;
use wattline_formats::message::Message;
use wattline_formats::{Decoder, Family, FamilyOptions, Memory, Topic};

use crate::shown::line;

mod sessions;

/// Data types of the specification.
const INT16: u64 = 2;
const INT32: u64 = 3;
const DOUBLE: u64 = 10;
const STRING: u64 = 12;

#[derive(Clone, Default)]
struct Metric(Vec<u8>);

impl Metric {
    fn named(name: &str) -> Self {
        Self::default().bytes(1, name.as_bytes())
    }

    fn aliased(alias: u64) -> Self {
        Self::default().varint(2, alias)
    }

    fn varint(mut self, number: u64, value: u64) -> Self {
        varint(&mut self.0, number << 3);
        varint(&mut self.0, value);
        self
    }

    fn bytes(mut self, number: u64, bytes: &[u8]) -> Self {
        varint(&mut self.0, number << 3 | 2);
        varint(&mut self.0, u64::try_from(bytes.len()).unwrap());
        self.0.extend_from_slice(bytes);
        self
    }

    fn double(mut self, value: f64) -> Self {
        self = self.varint(4, DOUBLE);
        varint(&mut self.0, 13 << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

fn payload(millis: Option<u64>, metrics: &[Metric]) -> Vec<u8> {
    let mut payload = Metric::default();
    if let Some(millis) = millis {
        payload = payload.varint(1, millis);
    }
    for metric in metrics {
        payload = payload.bytes(2, &metric.0);
    }
    payload.0
}

fn decode(memory: &mut Memory, topic: &str, payload: &[u8]) -> Outcome {
    let decoder = Decoder::new(Family::named("sparkplug").unwrap(), &[]).unwrap();
    let options = FamilyOptions::default();
    decoder.decode(&Message { topic: Topic(topic), payload, options: &options }, memory)
}

fn said(memory: &mut Memory, kind: &str, metrics: &[Metric]) -> String {
    line(&decode(memory, &format!("spBv1.0/g/{kind}/n/d"), &payload(None, metrics)))
}

#[test]
fn a_birth_gives_the_names_and_data_the_values() {
    let mut memory = Memory::default();
    let birth = [Metric::named("Active Power").varint(2, 5).double(1.5)];
    assert_eq!(said(&mut memory, "DBIRTH", &birth), "P=1.5");
    assert_eq!(said(&mut memory, "DDATA", &[Metric::aliased(5).double(-7.25)]), "P=-7.25");
    assert_eq!(said(&mut memory, "DDATA", &[Metric::aliased(6).double(1.0)]), "refused alias_unknown");
    // A new BIRTH forgets the old names.
    assert_eq!(said(&mut memory, "DBIRTH", &[Metric::named("Voltage").varint(2, 6).double(230.0)]), "U=230");
    assert_eq!(said(&mut memory, "DDATA", &[Metric::aliased(5).double(1.0)]), "refused alias_unknown");
}

#[test]
fn aliases_belong_to_one_device() {
    let mut memory = Memory::default();
    said(&mut memory, "DBIRTH", &[Metric::named("Active Power").varint(2, 5).double(1.0)]);
    let data = payload(None, &[Metric::aliased(5).double(1.0)]);
    for topic in ["spBv1.0/g/DDATA/n/e", "spBv1.0/h/DDATA/n/d", "spBv1.0/g/NDATA/n"] {
        assert_eq!(line(&decode(&mut memory, topic, &data)), "refused alias_unknown", "{topic}");
    }
}

#[test]
fn values_have_the_type_that_is_said() {
    let mut memory = Memory::default();
    let integer = |datatype: u64, value: u64| Metric::named("power").varint(4, datatype).varint(10, value);
    for (metric, expected) in [
        (integer(INT16, 65_124), "P=-412"),
        (integer(INT32, 4_294_966_884), "P=-412"),
        (integer(7, 65_124), "P=65124"),
        (Metric::named("power").varint(4, STRING).bytes(15, b"12.5"), "P=12.5"),
        (Metric::named("power").varint(4, STRING).bytes(15, b"on"), "refused malformed"),
        (Metric::named("power").double(f64::NAN), "ignored no_value"),
        (Metric::named("power").double(5.0).varint(7, 1), "ignored no_value"),
        (Metric::named("power"), "ignored no_value"),
        (Metric::named("energy").double(5.0), "ignored unit_unknown"),
        (Metric::named("energy_kwh").double(5.0), "in=5000000"),
        (Metric::named("Node Control/Rebirth").varint(11, 1), "ignored other_quantity"),
        (Metric::named("").double(5.0), "ignored other_quantity"),
    ] {
        assert_eq!(said(&mut memory, "DDATA", std::slice::from_ref(&metric)), expected);
    }
}

/// The specification wants the type in the BIRTH alone; an integer's sign is only in it.
#[test]
fn values_have_the_type_that_their_birth_said() {
    let unsigned = 7;
    for (datatype, value, expected) in
        [(INT16, 65_124, "P=-412"), (INT32, 4_294_966_884, "P=-412"), (unsigned, 65_124, "P=65124")]
    {
        let mut memory = Memory::default();
        let birth = Metric::named("Active Power").varint(2, 5).varint(4, datatype).varint(10, 12);
        assert_eq!(said(&mut memory, "DBIRTH", &[birth]), "P=12");
        let data = Metric::aliased(5).varint(10, value);
        assert_eq!(said(&mut memory, "DDATA", &[data]), expected, "by alias, type {datatype}");
        let data = Metric::named("Active Power").varint(10, value);
        assert_eq!(said(&mut memory, "DDATA", &[data]), expected, "by name, type {datatype}");
    }
}

#[test]
fn folders_are_channels_and_instants_are_readings() {
    let mut memory = Memory::default();
    let metrics = [
        Metric::named("M1/Active Power").double(1.0),
        Metric::named("M2/Active Power").double(2.0),
        Metric::named("M1/Voltage").double(230.0),
    ];
    assert_eq!(said(&mut memory, "DDATA", &metrics), "<M1> P=1 U=230; <M2> P=2");
    let at = |millis: u64, power: f64| Metric::named("power").varint(3, millis).double(power);
    let historic =
        payload(Some(1_795_168_805_000), &[at(1_795_168_800_000, 1.0), Metric::named("power").double(2.0)]);
    let made = decode(&mut memory, "spBv1.0/g/NDATA/n", &historic);
    assert_eq!(line(&made), "P=1 @2026-11-20T10:00:00Z; P=2 @2026-11-20T10:00:05Z");
}

#[test]
fn what_is_no_data_is_told_apart() {
    let mut memory = Memory::default();
    let data = payload(None, &[Metric::named("power").double(1.0)]);
    for (kind, expected) in
        [("NDEATH", "status"), ("DDEATH", "status"), ("NCMD", "command"), ("DCMD", "command")]
    {
        let made = decode(&mut memory, &format!("spBv1.0/g/{kind}/n"), &data);
        assert_eq!(line(&made), format!("ignored {expected}"), "{kind}");
    }
    assert_eq!(line(&decode(&mut memory, "spBv1.0/g/DDATA/n/d", b"")), "ignored empty");
    assert_eq!(line(&decode(&mut memory, "spBv1.0/STATE/host", b"{}")), "ignored status");
}

#[test]
fn what_is_cut_or_no_protobuf_is_refused() {
    let mut memory = Memory::default();
    let whole = payload(Some(1_795_168_800_000), &[Metric::named("power").double(1.0)]);
    for end in 8..whole.len() {
        let made = decode(&mut memory, "spBv1.0/g/DDATA/n/d", &whole[..end]);
        assert_eq!(line(&made), "refused malformed", "cut at {end}");
    }
    for broken in [&b"\x0b"[..], b"\x0f", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"{\"power\":1}"] {
        assert_eq!(line(&decode(&mut memory, "spBv1.0/g/DDATA/n/d", broken)), "refused malformed");
    }
}

#[test]
fn there_is_a_bound_for_readings_of_one_message() {
    let mut memory = Memory::default();
    let at = |millis: u64| Metric::named("power").varint(3, 1_795_168_800_000 + millis).double(1.0);
    let most: Vec<_> = (0..1000).map(at).collect();
    let made = decode(&mut memory, "spBv1.0/g/DDATA/n/d", &payload(None, &most));
    assert_eq!(made.unwrap().count(), 1000);
    let more: Vec<_> = (0..1001).map(at).collect();
    assert_eq!(said(&mut memory, "DDATA", &more), "refused too_many_readings");
}

/// A BIRTH of `name` behind alias 5.
fn birth(memory: &mut Memory, topic: &str, name: &str) -> String {
    let session = Metric::named("bdSeq").varint(4, 8).varint(11, 7);
    let metric = Metric::named(name).varint(2, 5).double(1.0);
    line(&decode(memory, topic, &payload(None, &[session, metric])))
}

fn data(memory: &mut Memory, topic: &str, metric: Metric) -> String {
    line(&decode(memory, topic, &payload(None, &[metric])))
}

#[test]
fn a_birth_of_the_node_ends_those_of_its_devices() {
    let mut memory = Memory::default();
    birth(&mut memory, "spBv1.0/g/NBIRTH/n", "Voltage");
    birth(&mut memory, "spBv1.0/g/DBIRTH/n/d", "M1/Active Power");
    birth(&mut memory, "spBv1.0/g/DBIRTH/m/d", "M2/Active Power");
    let power = || Metric::aliased(5).double(2.0);
    assert_eq!(data(&mut memory, "spBv1.0/g/DDATA/n/d", power()), "<M1> P=2");
    assert_eq!(data(&mut memory, "spBv1.0/g/NDATA/n", power()), "U=2");
    birth(&mut memory, "spBv1.0/g/NBIRTH/n", "Frequency");
    assert_eq!(data(&mut memory, "spBv1.0/g/NDATA/n", power()), "f=2");
    assert_eq!(
        data(&mut memory, "spBv1.0/g/DDATA/n/d", power()),
        "refused alias_unknown",
        "of an older session"
    );
    // Its name is there, and what its BIRTH would say of it, the unit perhaps, is not.
    let named = || Metric::named("Active Power").double(2.0);
    assert_eq!(data(&mut memory, "spBv1.0/g/DDATA/n/d", named()), "refused alias_unknown");
    assert_eq!(data(&mut memory, "spBv1.0/g/DDATA/m/d", power()), "<M2> P=2", "another node's");
    birth(&mut memory, "spBv1.0/g/DBIRTH/n/d", "M3/Active Power");
    assert_eq!(data(&mut memory, "spBv1.0/g/DDATA/n/d", power()), "<M3> P=2");
    assert_eq!(data(&mut memory, "spBv1.0/h/DDATA/n/d", named()), "P=2", "no BIRTH of that node was seen");
}

#[test]
fn a_node_begins_anew_even_where_its_birth_cannot_be_read() {
    let mut memory = Memory::default();
    birth(&mut memory, "spBv1.0/g/NBIRTH/n", "Voltage");
    birth(&mut memory, "spBv1.0/g/DBIRTH/n/d", "Active Power");
    assert_eq!(line(&decode(&mut memory, "spBv1.0/g/NBIRTH/n", b"\x0b")), "refused malformed");
    for topic in ["spBv1.0/g/NDATA/n", "spBv1.0/g/DDATA/n/d"] {
        assert_eq!(
            data(&mut memory, topic, Metric::aliased(5).double(2.0)),
            "refused alias_unknown",
            "{topic}"
        );
    }
}

#[test]
fn the_dead_have_no_aliases() {
    let mut memory = Memory::default();
    birth(&mut memory, "spBv1.0/g/NBIRTH/n", "Voltage");
    birth(&mut memory, "spBv1.0/g/DBIRTH/n/d", "Active Power");
    let power = || Metric::aliased(5).double(2.0);
    let will = |session| payload(None, &[Metric::named("bdSeq").varint(4, 8).varint(11, session)]);
    assert_eq!(line(&decode(&mut memory, "spBv1.0/g/NDEATH/n", &will(6))), "ignored status");
    assert_eq!(data(&mut memory, "spBv1.0/g/DDATA/n/d", power()), "P=2", "the will of an older session");
    assert_eq!(line(&decode(&mut memory, "spBv1.0/g/DDEATH/n/d", b"")), "ignored status");
    assert_eq!(data(&mut memory, "spBv1.0/g/DDATA/n/d", power()), "refused alias_unknown");
    assert_eq!(data(&mut memory, "spBv1.0/g/NDATA/n", power()), "U=2");
    assert_eq!(line(&decode(&mut memory, "spBv1.0/g/NDEATH/n", &will(7))), "ignored status");
    assert_eq!(data(&mut memory, "spBv1.0/g/NDATA/n", power()), "refused alias_unknown");
}

#[test]
fn a_name_without_its_alias_has_the_unit_of_its_birth() {
    let mut memory = Memory::default();
    // The property `engUnit`: a list of keys, a list of values with a text.
    let unit = Metric::default().bytes(8, b"kW");
    let properties = Metric::default().bytes(1, b"engUnit").bytes(2, &unit.0);
    let born = Metric::named("Active Power").varint(2, 5).double(1.0).bytes(9, &properties.0);
    assert_eq!(said(&mut memory, "DBIRTH", &[born]), "P=1000");
    for metric in
        [Metric::named("Active Power"), Metric::aliased(5), Metric::named("Active Power").varint(2, 5)]
    {
        assert_eq!(said(&mut memory, "DDATA", &[metric.double(1.25)]), "P=1250");
    }
}

#[test]
fn a_device_has_a_name_and_a_node_is_none() {
    let mut memory = Memory::default();
    for topic in ["spBv1.0/g/DDATA/n", "spBv1.0/g/DBIRTH/n", "spBv1.0/g/NDATA/n/d", "spBv1.0/g/NBIRTH/n/d"] {
        assert_eq!(
            data(&mut memory, topic, Metric::named("power").double(1.0)),
            "not this family",
            "{topic}"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let mut memory = Memory::default();
        for kind in ["NBIRTH/n", "DBIRTH/n/d", "NDATA/n", "DDATA/n/d", "NDEATH/n", "NDATA/n"] {
            let _ = decode(&mut memory, &format!("spBv1.0/g/{kind}"), &bytes);
        }
    }

    #[test]
    fn any_double_is_the_power_that_was_sent(power in -1e6_f64..1e6) {
        let made = decode(&mut Memory::default(), "spBv1.0/g/DDATA/n/d", &payload(None, &[Metric::named("power").double(power)]));
        prop_assert_eq!(made.unwrap().drafts[0].measures.power_w, Some(power));
    }
}
