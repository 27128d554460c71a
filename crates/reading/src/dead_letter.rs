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
