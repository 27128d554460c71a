//! A message of which nothing came, the same way for all families: whether it says anything, and what it says that is not
//! taken.

use wattline_reading::Reason;

use crate::draft::Stop;
use crate::family::why_left_out;
use crate::ignored::Ignored;
use crate::json::Json;
use crate::message::Message;
use crate::number::{is_no_value, number};
use crate::omission::Omission;

/// So many fields are named; a person needs no more to see what is not known.
const NAMED_MAX: usize = 16;

/// Where there is not one value in the message it has none, whatever its family makes of that. Else each number that looks
/// like a measure is left out by its name.
pub(super) fn explained(stop: Stop, message: &Message<'_>) -> Stop {
    match stop {
        Stop::Ignore(Ignored::Status | Ignored::Command | Ignored::Empty, _) => stop,
        Stop::Reject(ref refusal)
            if !matches!(refusal.reason, Reason::Malformed | Reason::MeterIdInvalid) =>
        {
            stop
        }
        _ if message.says_nothing() => Ignored::NoValue.into(),
        Stop::Ignore(Ignored::OtherQuantity, _) => {
            let unknown = unknown(message);
            if unknown.is_empty() { stop } else { Stop::Ignore(Ignored::NotTheMeter, unknown) }
        }
        _ => stop,
    }
}

/// The message's number by the end of its topic, or those of its object's fields by their names.
fn unknown(message: &Message<'_>) -> Vec<Omission> {
    let left_out = |name: &str| why_left_out(name).map(|why| Omission::new(name, why));
    let Ok(json) = message.json() else { return Vec::new() };
    let is_number = |value: &Json<'_>| value.scalar().and_then(number).is_some();
    let value = json.get("value").or_else(|| json.get("val"));
    if is_number(value.unwrap_or(&json)) {
        return left_out(message.topic.last()).into_iter().collect();
    }
    let numbers = json.fields().iter().filter(|(_, value)| is_number(value));
    numbers.filter_map(|(name, _)| left_out(name)).take(NAMED_MAX).collect()
}

// === impl Json ===

impl Json<'_> {
    /// True where there is not one value in it: `null`, words for "no value", and what holds nothing else.
    pub(crate) fn is_nothing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(_) => false,
            Self::Number(text) => is_no_value(text),
            Self::Text(text) => is_no_value(text.trim()),
            Self::Array(items) => items.iter().all(Self::is_nothing),
            Self::Object(fields) => fields.iter().all(|(_, value)| value.is_nothing()),
        }
    }
}
