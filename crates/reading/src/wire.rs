//! The form on the wire: protobuf, by the schema `proto/reading.proto` (a test compares the two).

use prost::Message;

use crate::{DeadLetter, Measures, MeterInfo, Phase, Reading, Timestamp, TsSource};

/// Why a record can't be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WireError {
    /// Not protobuf, or with a field of another type.
    #[error("not a protobuf message of the expected kind: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// The key is missing or not UTF-8.
    #[error("the record's key is not a meter id in UTF-8")]
    Key,
}

/// Appends a reading's value to `out`; the key is the meter id.
pub fn encode_reading(reading: &Reading, out: &mut Vec<u8>) {
    let Measures {
        power_w,
        energy_import_mwh,
        energy_export_mwh,
        voltage_v,
        current_a,
        power_factor,
        frequency_hz,
        soc_pct,
        phases,
    } = &reading.measures;
    let message = ReadingMessage {
        ts_us: reading.ts.micros(),
        received_at_us: reading.received_at.micros(),
        ts_source: i32::from(reading.ts_source == TsSource::Arrival),
        power_w: *power_w,
        energy_import_mwh: *energy_import_mwh,
        energy_export_mwh: *energy_export_mwh,
        voltage_v: *voltage_v,
        current_a: *current_a,
        power_factor: *power_factor,
        frequency_hz: *frequency_hz,
        phases: phases.iter().map(PhaseMessage::from).collect(),
        register_epoch_us: reading.register_epoch.map(Timestamp::micros),
        redelivered: reading.redelivered,
        soc_pct: *soc_pct,
        meter_info: reading.meter_info.as_deref().map(MeterInfoMessage::from),
    };
    message.encode_raw(out);
}

/// Reads one record of the readings topic.
///
/// # Errors
/// Where the value is no such message, or the key no meter id.
pub fn decode_reading(key: Option<&[u8]>, value: &[u8]) -> Result<Reading, WireError> {
    let meter_id = key.and_then(|key| std::str::from_utf8(key).ok()).ok_or(WireError::Key)?;
    let message = ReadingMessage::decode(value)?;
    Ok(Reading {
        meter_id: meter_id.to_owned(),
        ts: Timestamp::from_micros(message.ts_us),
        received_at: Timestamp::from_micros(message.received_at_us),
        ts_source: if message.ts_source == 1 { TsSource::Arrival } else { TsSource::Device },
        measures: Measures {
            power_w: message.power_w,
            energy_import_mwh: message.energy_import_mwh,
            energy_export_mwh: message.energy_export_mwh,
            voltage_v: message.voltage_v,
            current_a: message.current_a,
            power_factor: message.power_factor,
            frequency_hz: message.frequency_hz,
            soc_pct: message.soc_pct,
            phases: message.phases.iter().map(Phase::from).collect(),
        },
        register_epoch: message.register_epoch_us.map(Timestamp::from_micros),
        redelivered: message.redelivered,
        meter_info: message.meter_info.map(|info| Box::new(info.into())),
    })
}

/// Appends a dead letter's value to `out`.
pub fn encode_dead_letter(letter: &DeadLetter, out: &mut Vec<u8>) {
    let message = DeadLetterMessage {
        mqtt_topic: letter.mqtt_topic.clone(),
        payload: letter.payload.clone(),
        reason: letter.reason.clone(),
        detail: letter.detail.clone(),
        received_at_us: letter.received_at.micros(),
        retained: letter.retained,
        route: letter.route.clone(),
        broker: letter.broker.clone(),
    };
    message.encode_raw(out);
}

/// Reads one record of the dead-letter topic.
///
/// # Errors
/// Where the value is no such message.
pub fn decode_dead_letter(value: &[u8]) -> Result<DeadLetter, WireError> {
    let message = DeadLetterMessage::decode(value)?;
    Ok(DeadLetter {
        mqtt_topic: message.mqtt_topic,
        payload: message.payload,
        reason: message.reason,
        detail: message.detail,
        received_at: Timestamp::from_micros(message.received_at_us),
        retained: message.retained,
        route: message.route,
        broker: message.broker,
    })
}

#[derive(Clone, PartialEq, Message)]
struct ReadingMessage {
    #[prost(sint64, tag = "1")]
    ts_us: i64,
    #[prost(sint64, tag = "2")]
    received_at_us: i64,
    #[prost(int32, tag = "3")]
    ts_source: i32,
    #[prost(double, optional, tag = "4")]
    power_w: Option<f64>,
    #[prost(sint64, optional, tag = "5")]
    energy_import_mwh: Option<i64>,
    #[prost(sint64, optional, tag = "6")]
    energy_export_mwh: Option<i64>,
    #[prost(double, optional, tag = "7")]
    voltage_v: Option<f64>,
    #[prost(double, optional, tag = "8")]
    current_a: Option<f64>,
    #[prost(double, optional, tag = "9")]
    power_factor: Option<f64>,
    #[prost(double, optional, tag = "10")]
    frequency_hz: Option<f64>,
    #[prost(message, repeated, tag = "11")]
    phases: Vec<PhaseMessage>,
    #[prost(sint64, optional, tag = "12")]
    register_epoch_us: Option<i64>,
    #[prost(bool, tag = "13")]
    redelivered: bool,
    #[prost(double, optional, tag = "14")]
    soc_pct: Option<f64>,
    #[prost(message, optional, tag = "15")]
    meter_info: Option<MeterInfoMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct MeterInfoMessage {
    #[prost(string, tag = "1")]
    route: String,
    #[prost(string, tag = "2")]
    family: String,
    #[prost(double, optional, tag = "3")]
    max_power_w: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct PhaseMessage {
    #[prost(double, optional, tag = "1")]
    power_w: Option<f64>,
    #[prost(double, optional, tag = "2")]
    voltage_v: Option<f64>,
    #[prost(double, optional, tag = "3")]
    current_a: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct DeadLetterMessage {
    #[prost(string, tag = "1")]
    mqtt_topic: String,
    #[prost(bytes = "vec", tag = "2")]
    payload: Vec<u8>,
    #[prost(string, tag = "3")]
    reason: String,
    #[prost(string, tag = "4")]
    detail: String,
    #[prost(sint64, tag = "5")]
    received_at_us: i64,
    #[prost(bool, tag = "6")]
    retained: bool,
    #[prost(string, optional, tag = "7")]
    route: Option<String>,
    #[prost(string, optional, tag = "8")]
    broker: Option<String>,
}

// === impl MeterInfoMessage ===

impl From<&MeterInfo> for MeterInfoMessage {
    fn from(info: &MeterInfo) -> Self {
        let MeterInfo { route, family, max_power_w } = info;
        Self { route: route.clone(), family: family.clone(), max_power_w: *max_power_w }
    }
}

impl From<MeterInfoMessage> for MeterInfo {
    fn from(message: MeterInfoMessage) -> Self {
        let MeterInfoMessage { route, family, max_power_w } = message;
        Self { route, family, max_power_w }
    }
}

// === impl PhaseMessage ===

impl From<&Phase> for PhaseMessage {
    fn from(phase: &Phase) -> Self {
        Self { power_w: phase.power_w, voltage_v: phase.voltage_v, current_a: phase.current_a }
    }
}

impl From<&PhaseMessage> for Phase {
    fn from(message: &PhaseMessage) -> Self {
        Self { power_w: message.power_w, voltage_v: message.voltage_v, current_a: message.current_a }
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
