//! Readings for tests.

use wattline_reading::{DeadLetter, Measures, Reading, Timestamp};

/// 2026-11-20T10:00:00Z and so many seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_795_168_800 + seconds) * 1_000_000)
}

/// The id of a test's meter.
pub(crate) fn meter(number: usize) -> String {
    format!("meter-{number}")
}

/// A reading with power alone, stamped by the device.
pub(crate) fn reading(meter_id: &str, seconds: i64, power_w: f64) -> Reading {
    Reading {
        received_at: at(seconds + 1),
        ..Reading::new(meter_id, at(seconds), Measures { power_w: Some(power_w), ..Measures::default() })
    }
}

/// A dead letter of its own detail.
pub(crate) fn letter(detail: &str) -> DeadLetter {
    DeadLetter {
        mqtt_topic: "wattline/m/reading".to_owned(),
        payload: detail.as_bytes().to_vec(),
        reason: "malformed".to_owned(),
        detail: detail.to_owned(),
        received_at: at(0),
        retained: false,
        route: None,
        broker: None,
    }
}
