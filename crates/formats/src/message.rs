//! What a decoder sees of a message, and helpers that all families share.

use wattline_reading::Reason;
use wattline_reading::limits::refuse;

use crate::draft::{Draft, Drafts, Outcome, Quantity, Stop};
use crate::ignored::Ignored;
use crate::json::{self, Json};
use crate::number::is_no_value;
use crate::omission::{Omission, Omitted};
use crate::options::FamilyOptions;
use crate::topic::Topic;
use crate::unit::Unit;

/// One message for a decoder.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Its topic.
    pub topic: Topic<'a>,
    /// Its payload.
    pub payload: &'a [u8],
    /// What the route says to this family.
    pub options: &'a FamilyOptions,
}

/// A field of a family's table: the device's word, what it is, and its unit.
pub type Field = (&'static str, Quantity, Unit);

/// What a message is that has no measure of its family's: one of the family's by its other words, or a stranger's.
#[derive(Clone, Copy, Debug)]
pub struct OwnWords<'j>(pub &'j Json<'j>, pub &'static [&'static str]);

/// Last levels of topics on which devices say whether they are there.
const STATUS_LEVELS: [&str; 9] = [
    "status",
    "availability",
    "available",
    "online",
    "lwt",
    "connected",
    "connection",
    "alive",
    // Where ESPHome has its numbers.
    STATE,
];
const STATE: &str = "state";

/// Words of last wills and availability topics. Those that are also words for "no value" are not among them.
const STATUS_WORDS: [&str; 36] = [
    "online",
    "offline",
    "connected",
    "disconnected",
    "not connected",
    "true",
    "false",
    "on",
    "off",
    "up",
    "down",
    "alive",
    "dead",
    "lost",
    "available",
    "reachable",
    "unreachable",
    "ready",
    "running",
    "stopped",
    "idle",
    "standby",
    "sleeping",
    "starting",
    "booting",
    "restarting",
    "init",
    "ok",
    "error",
    "active",
    "inactive",
    "enabled",
    "disabled",
    "open",
    "closed",
    "born",
];

// === impl Message ===

impl<'a> Message<'a> {
    /// The payload as text.
    ///
    /// # Errors
    /// `empty` where there is nothing, `malformed` where it is not UTF-8.
    pub fn text(&self) -> Result<&'a str, Stop> {
        let text = json::text(self.payload)?;
        if text.is_empty() { Err(Ignored::Empty.into()) } else { Ok(text) }
    }

    /// The payload as JSON.
    ///
    /// # Errors
    /// `empty` where there is nothing, `malformed` where it is not JSON.
    pub fn json(&self) -> Result<Json<'a>, Stop> {
        Ok(Json::parse_text(self.text()?)?)
    }

    /// True for a bare value on a topic on which devices say whether they are there: never a reading, whatever the word.
    /// On `…/state` numbers and words for "no value" may be one's.
    pub(crate) fn is_status(&self) -> bool {
        let is_bare =
            self.payload.first().is_some_and(|byte| !byte.is_ascii_control() && !matches!(byte, b'{' | b'['));
        if !is_bare {
            return false;
        }
        let last = self.topic.last();
        let Some(level) = STATUS_LEVELS.iter().find(|level| last.eq_ignore_ascii_case(level)) else {
            return false;
        };
        let Ok(text) = self.text() else { return false };
        *level != STATE && !text.starts_with(['{', '[']) || is_word(text)
    }

    /// True where there is not one value in the payload, which is not empty. Asked only where nothing came of it.
    pub(crate) fn says_nothing(&self) -> bool {
        let Ok(text) = self.text() else { return false };
        let is_json = text.starts_with(['{', '[', '"']);
        is_no_value(text) || (is_json && Json::parse_text(text).is_ok_and(|json| json.is_nothing()))
    }

    /// The payload as a JSON object; a last will and other bare words are the device's status.
    ///
    /// # Errors
    /// As [`Message::json`], and `malformed` where it is another value.
    pub fn object(&self) -> Result<Json<'a>, Stop> {
        let text = self.text()?;
        if is_status_word(text) {
            return Err(Ignored::Status.into());
        }
        let json = Json::parse_text(text)?;
        if json.is_object() {
            Ok(json)
        } else {
            Err(Stop::malformed("the payload is no JSON object".to_owned()))
        }
    }

    /// The payload as the text of one value: bare, or in a JSON object's `value`.
    ///
    /// # Errors
    /// `empty`, `malformed`, `status` for a last will, or `no_value` where `value` has none.
    pub fn value(&self) -> Result<String, Stop> {
        let text = self.text()?;
        if !text.starts_with('{') {
            let text = text.trim_matches('"');
            return if is_word(text) && is_status_word(text) {
                Err(Ignored::Status.into())
            } else {
                Ok(text.to_owned())
            };
        }
        let json = Json::parse_text(text)?;
        let value = json.get("value").or_else(|| json.get("val")).and_then(Json::scalar);
        value.map(str::to_owned).ok_or_else(|| Ignored::NoValue.into())
    }

    /// The outcome of a topic that carries one value, by the family's table.
    ///
    /// # Errors
    /// Why there is no reading.
    pub fn single(&self, mut draft: Draft, name: &str, fields: &[Field]) -> Outcome {
        let Some((_, quantity, unit)) = find(fields, name) else {
            return Err(Ignored::OtherQuantity.into());
        };
        let mut omitted = Vec::new();
        let text = self.value()?;
        draft.set(*quantity, &text, *unit, name, &mut omitted);
        Drafts::one(draft, omitted, Ignored::NoValue)
    }
}

/// True for the words of last wills and availability topics.
#[must_use]
pub fn is_status_word(text: &str) -> bool {
    !text.starts_with(['{', '['])
        && STATUS_WORDS.iter().any(|word| text.trim_matches('"').eq_ignore_ascii_case(word))
}

/// A bare text that is neither a number nor a word for "no value".
fn is_word(text: &str) -> bool {
    let text = text.trim_matches('"');
    text.starts_with(|first: char| first.is_alphabetic()) && !is_no_value(text)
}

// === impl OwnWords ===

impl OwnWords<'_> {
    /// True where it has one of them, or nothing at all.
    #[must_use]
    pub fn are_there(self) -> bool {
        let Self(json, words) = self;
        let is_empty = matches!(json, Json::Object(_) | Json::Array(_))
            && json.fields().is_empty()
            && json.items().is_empty();
        is_empty || json.fields().iter().any(|(name, _)| words.contains(&name.as_ref()))
    }
}

impl From<OwnWords<'_>> for Stop {
    fn from(words: OwnWords<'_>) -> Self {
        if words.are_there() { Ignored::OtherQuantity.into() } else { Self::NotThisFamily }
    }
}

/// A field of a table by the device's word; upper and lower case are one.
#[must_use]
pub fn find<'f>(fields: &'f [Field], name: &str) -> Option<&'f Field> {
    fields.iter().find(|(field, ..)| field.eq_ignore_ascii_case(name))
}

/// Takes all fields of a JSON object that the table knows into a draft.
/// As [`set_json`] does it with each.
pub fn collect(object: &Json<'_>, fields: &[Field], draft: &mut Draft, omitted: &mut Vec<Omission>) {
    for (name, value) in object.fields() {
        if let Some((_, quantity, unit)) = find(fields, name) {
            set_json(draft, *quantity, value, *unit, name, omitted);
        }
    }
}

/// Takes one JSON value into a draft, as [`Draft::set`] does; one that is no number and no text is left out.
pub fn set_json(
    draft: &mut Draft,
    quantity: Quantity,
    value: &Json<'_>,
    unit: Unit,
    name: &str,
    omitted: &mut Vec<Omission>,
) {
    match value {
        Json::Null => draft.say_no_value(),
        Json::Number(text) => draft.set(quantity, text, unit, name, omitted),
        Json::Text(text) => draft.set(quantity, text, unit, name, omitted),
        _ => match quantity {
            Quantity::Not(reason) => omitted.push(Omission::new(name, reason)),
            Quantity::Voltage
            | Quantity::Current
            | Quantity::PowerFactor
            | Quantity::Frequency
            | Quantity::StateOfCharge
            | Quantity::PhaseVoltage(_)
            | Quantity::PhaseCurrent(_) => omitted.push(Omission::new(name, Omitted::Unreadable)),
            _ => {
                omitted.push(Omission::new(name, Omitted::Unreadable));
                draft.refuse(refuse(Reason::Malformed, format!("{name} is no number")));
            }
        },
    }
}
