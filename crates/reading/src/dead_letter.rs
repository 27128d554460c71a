//! A message that could not become readings: the whole payload, with its topic, reason and time.

use crate::Timestamp;

/// One MQTT message that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The topic that the message was published on.
    pub mqtt_topic: String,
    /// The payload as it came.
    pub payload: Vec<u8>,
    /// A stable `snake_case` word.
    pub reason: String,
    /// What is wrong, and where, for a person.
    pub detail: String,
    /// Arrival at mqtt-ingest.
    pub received_at: Timestamp,
    /// The broker delivered it with the RETAIN flag.
    pub retained: bool,
    /// The filter of the route that took it; none for `no_route`.
    pub route: Option<String>,
    /// The name that mqtt-ingest has for the broker it came by; none from versions without several brokers.
    pub broker: Option<String>,
}

/// The longest text in a letter besides topic and payload, and the longest key of its record, in bytes: so a letter is
/// never larger than a record may be, whatever the message.
pub const TEXT_BYTES_MAX: usize = 1024;

/// The beginning of a text that may be longer than [`TEXT_BYTES_MAX`].
#[must_use]
pub fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(beginning("short"), "short");
        assert_eq!(beginning(&"€".repeat(400)).len(), 1023);
        assert_eq!(beginning(&"x".repeat(2000)).len(), TEXT_BYTES_MAX);
    }
}
