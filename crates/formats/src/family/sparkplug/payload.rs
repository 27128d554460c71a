//! The part of `sparkplug_b.proto` that a reading needs: what else a metric has (templates, data sets, other
//! properties) is passed over.

use prost::{Message, Oneof};

/// A payload.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Payload {
    /// In ms since 1970.
    #[prost(uint64, optional, tag = "1")]
    pub(super) timestamp: Option<u64>,
    #[prost(message, repeated, tag = "2")]
    pub(super) metrics: Vec<Metric>,
}

/// A metric.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Metric {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    pub(super) alias: Option<u64>,
    /// In ms since 1970.
    #[prost(uint64, optional, tag = "3")]
    pub(super) timestamp: Option<u64>,
    /// Of the specification's table; DATA may leave it out.
    #[prost(uint32, optional, tag = "4")]
    pub(super) datatype: Option<u32>,
    #[prost(bool, optional, tag = "7")]
    is_null: Option<bool>,
    #[prost(message, optional, tag = "9")]
    properties: Option<Properties>,
    #[prost(oneof = "Value", tags = "10, 11, 12, 13, 15")]
    value: Option<Value>,
}

/// Its keys and its values stand in two lists of one order.
#[derive(Clone, PartialEq, Message)]
struct Properties {
    #[prost(string, repeated, tag = "1")]
    keys: Vec<String>,
    #[prost(message, repeated, tag = "2")]
    values: Vec<Property>,
}

#[derive(Clone, PartialEq, Message)]
struct Property {
    #[prost(string, optional, tag = "8")]
    text: Option<String>,
}

/// Those of its values that can be a measure.
#[derive(Clone, PartialEq, Oneof)]
enum Value {
    #[prost(uint32, tag = "10")]
    Int(u32),
    #[prost(uint64, tag = "11")]
    Long(u64),
    #[prost(float, tag = "12")]
    Float(f32),
    #[prost(double, tag = "13")]
    Double(f64),
    #[prost(string, tag = "15")]
    Text(String),
}

/// The signed types among Sparkplug's data types, whose values are two's complement in an unsigned field.
const INT8: u32 = 1;
const INT16: u32 = 2;
const INT32: u32 = 3;
const INT64: u32 = 4;

// === impl Payload ===

impl Payload {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        Self::decode(bytes).map_err(|error| format!("Sparkplug: {error}"))
    }

    /// The number of the node's session, in its BIRTH and in the DEATH that is its will.
    pub(super) fn session(&self) -> Option<u64> {
        let metric = self.metrics.iter().find(|metric| metric.name.as_deref() == Some("bdSeq"))?;
        metric.value(None)?.parse().ok()
    }
}

// === impl Metric ===

impl Metric {
    /// The property `engUnit`.
    pub(super) fn unit(&self) -> Option<&str> {
        let Properties { keys, values } = self.properties.as_ref()?;
        let at = keys.iter().position(|key| key.eq_ignore_ascii_case("engUnit"))?;
        values.get(at)?.text.as_deref()
    }

    /// A number or a text, as decimal text; none where it is null. `known`: the type that its BIRTH said.
    pub(super) fn value(&self, known: Option<u32>) -> Option<String> {
        let datatype = self.datatype.filter(|datatype| *datatype != 0).or(known);
        if self.is_null == Some(true) {
            return None;
        }
        Some(match self.value.as_ref()? {
            Value::Int(value) => decimal(u64::from(*value), datatype),
            Value::Long(value) => decimal(*value, datatype),
            Value::Float(value) => value.to_string(),
            Value::Double(value) => value.to_string(),
            Value::Text(text) => text.clone(),
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "two's complement of that many bits"
)]
fn decimal(value: u64, datatype: Option<u32>) -> String {
    match datatype {
        Some(INT8) => i64::from(value as i8).to_string(),
        Some(INT16) => i64::from(value as i16).to_string(),
        Some(INT32) => i64::from(value as i32).to_string(),
        Some(INT64) => (value as i64).to_string(),
        _ => value.to_string(),
    }
}
