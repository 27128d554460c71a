//! A reading in JSON.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Number;
use wattline_reading::{MEASURES, Measures, PHASE_MEASURES, Phase, Reading, Timestamp, register};

/// Epoch numbers by their size: below the first they are seconds, then ms, then µs, then ns.
const EPOCH_SIZES: [i64; 3] = [100_000_000_000, 100_000_000_000_000, 100_000_000_000_000_000];

/// A reading, and the keys in it that say nothing of energy or of which nobody knows what they say.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) reading: Reading,
    pub(super) unknown: BTreeSet<String>,
}

/// An instant: RFC 3339 or an epoch number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant(pub(super) Timestamp);

/// Energy in mWh, from a number in Wh.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wh(pub(super) i64);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InstantVisitor).map(Self)
    }
}

struct InstantVisitor;

impl Visitor<'_> for InstantVisitor {
    type Value = Timestamp;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a time with its zone, as in \"2026-11-20T10:00:00Z\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse_rfc3339(text)
            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Timestamp, E> {
        let size = number.checked_abs().unwrap_or(i64::MAX);
        let micros = match EPOCH_SIZES.iter().filter(|limit| size >= **limit).count() {
            0 => number * 1_000_000,
            1 => number * 1_000,
            2 => number,
            _ => number.div_euclid(1_000),
        };
        Ok(Timestamp::from_micros(micros))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Timestamp, E> {
        let number = i64::try_from(number).map_err(|_| E::custom("no time is so late"))?;
        self.visit_i64(number)
    }
}

impl<'de> Deserialize<'de> for Wh {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        // The shortest text of a number is the one that was sent: its digits are decimal, a double's are not.
        let mwh = register::parse_wh(&number.to_string());
        mwh.map(Self).ok_or_else(|| D::Error::custom(format!("{number} Wh is beyond any register")))
    }
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReadingVisitor)
    }
}

struct ReadingVisitor;

impl<'de> Visitor<'de> for ReadingVisitor {
    type Value = Parsed;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a reading: an object with meter_id, ts and measures")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parsed, A::Error> {
        let (mut meter_id, mut ts, mut register_epoch) = (None, None, None);
        let mut measures = Measures::default();
        let mut arrays = PHASE_MEASURES.map(|_| None);
        let mut unknown = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "meter_id" | "device_id" => meter_id = Some(map.next_value::<String>()?),
                "ts" => ts = Some(map.next_value::<Instant>()?.0),
                "register_epoch" => register_epoch = map.next_value::<Option<Instant>>()?,
                "energy_import_wh" => measures.energy_import_mwh = wh(map.next_value()?),
                "energy_export_wh" => measures.energy_export_mwh = wh(map.next_value()?),
                "phases" => measures.phases = map.next_value::<Phases>()?.0,
                "received_at" | "ts_source" | "redelivered" => drop(map.next_value::<IgnoredAny>()?),
                name => {
                    if let Some(measure) = MEASURES.iter().find(|measure| measure.name == name) {
                        (measure.set)(&mut measures, map.next_value()?);
                    } else if let Some(at) = PHASE_MEASURES.iter().position(|measure| measure.column == name)
                    {
                        arrays[at] = map.next_value()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        unknown.insert(key);
                    }
                }
            }
        }
        if arrays.iter().any(Option::is_some) {
            measures.phases = Measures::phases_of(arrays);
        }
        let meter_id = meter_id.ok_or_else(|| A::Error::missing_field("meter_id"))?;
        let ts = ts.ok_or_else(|| A::Error::missing_field("ts"))?;
        let register_epoch = register_epoch.map(|Instant(at)| at);
        let reading = Reading { register_epoch, ..Reading::new(meter_id, ts, measures) };
        Ok(Parsed { reading, unknown })
    }
}

fn wh(value: Option<Wh>) -> Option<i64> {
    value.map(|Wh(mwh)| mwh)
}

/// One object for each phase, L1 first.
struct Phases(Vec<Phase>);

impl<'de> Deserialize<'de> for Phases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Object {
            power_w: Option<f64>,
            voltage_v: Option<f64>,
            current_a: Option<f64>,
        }
        let objects = Option::<Vec<Object>>::deserialize(deserializer)?.unwrap_or_default();
        let phase = |object: Object| Phase {
            power_w: object.power_w,
            voltage_v: object.voltage_v,
            current_a: object.current_a,
        };
        Ok(Self(objects.into_iter().map(phase).collect()))
    }
}
