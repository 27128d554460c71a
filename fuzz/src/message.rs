//! How bytes become a message, and what must hold of what is made of it.

use wattline_formats::unit::Unit;
use wattline_reading::{Limits, READINGS_PER_MESSAGE_MAX, Timestamp};
use wattline_routes::{Decoded, Input, Judge, Memory, RouteSettings, Routes, Sign, TimePolicy};

/// A message as the fuzzer gives it: a byte of flags, the topic up to the first line break, the payload.
#[derive(Debug)]
pub struct Given<'a> {
    flags: u8,
    topic: String,
    payload: &'a [u8],
}

/// 2026-11-20T10:00:30Z.
#[must_use]
pub fn received_at() -> Timestamp {
    Timestamp::from_micros(1_795_168_830_000_000)
}

/// Judges for one family: its default routes as they are, and each of them with every setting that a route has.
///
/// # Panics
/// Where there is no such family.
#[must_use]
pub fn judges(family: &str) -> Vec<Judge> {
    let judge = |routes| Judge { routes, limits: Limits::default(), payload_bytes_max: 65_536 };
    let plain = Routes::new(&[], &[family.to_owned()]).expect("a family with default routes");
    let special: Vec<_> = plain
        .all()
        .iter()
        .map(|route| {
            let settings = RouteSettings {
                trusted: true,
                time: TimePolicy::DeviceIfPlausible,
                time_zone: "Europe/Berlin".to_owned(),
                sign: Sign::Reversed,
                multiplier: Some(40.5),
                energy_unit: Some(Unit::Kilo),
                max_power_w: Some(3680.0),
                ..RouteSettings::new(&route.filter, route.family)
            };
            judge(Routes::new(&[settings], &[]).expect("a family's own filter"))
        })
        .collect();
    std::iter::once(judge(plain)).chain(special).collect()
}

/// Asserts what must hold of every answer.
///
/// # Panics
/// Where it doesn't.
pub fn sound(judge: &Judge, input: &Input<'_>, decoded: &Decoded) {
    let Decoded::Readings(readings) = decoded else { return };
    assert!((1..=READINGS_PER_MESSAGE_MAX).contains(&readings.len()));
    for reading in readings {
        let mut again = reading.clone();
        assert!(judge.limits.check(&mut again, |_| panic!("checked twice, not the same")).is_ok());
        assert_eq!(reading, &again);
        assert_eq!(reading.received_at, input.received_at);
        assert!(!input.retained || reading.ts_source == wattline_reading::TsSource::Device);
    }
}

// === impl Given ===

impl<'a> Given<'a> {
    /// None where the bytes are too few.
    #[must_use]
    pub fn of(data: &'a [u8]) -> Option<Self> {
        let (flags, rest) = data.split_first()?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let topic = String::from_utf8_lossy(&rest[..end]).into_owned();
        Some(Self { flags: *flags, topic, payload: &rest[end + 1..] })
    }

    /// The one of `judges` that the flags choose.
    #[must_use]
    pub fn judge<'j>(&self, judges: &'j [Judge]) -> &'j Judge {
        &judges[usize::from(self.flags >> 2) % judges.len()]
    }

    /// Makes the topic one that the judge has a route for: its levels stand for the filter's wildcards.
    pub fn aim(&mut self, judge: &Judge) {
        if judge.routes.find(&self.topic).is_some() {
            return;
        }
        let routes = judge.routes.all();
        let filter = &routes[usize::from(self.flags) % routes.len()].filter;
        let mut levels = self.topic.split('/');
        let topic: Vec<&str> = filter
            .split('/')
            .map(|level| match level {
                "+" => levels.next().unwrap_or("0"),
                "#" => self.topic.as_str(),
                level => level,
            })
            .collect();
        self.topic = topic.join("/");
    }

    /// Judges the message twice, for families that remember, and asserts what must hold.
    pub fn judge_by(&self, judge: &Judge) {
        let input = Input {
            topic: &self.topic,
            payload: self.payload,
            retained: self.flags & 1 == 1,
            redelivered: self.flags & 2 == 2,
            received_at: received_at(),
        };
        let mut memory = Memory::default();
        let bytes = self.topic.len() + self.payload.len();
        for _ in 0..2 {
            let decoded = crate::within_proportion(bytes, || judge.decide(&input, &mut memory, |_| {}));
            sound(judge, &input, &decoded);
        }
    }
}
