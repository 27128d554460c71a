//! What is published.

use std::sync::Arc;

use wattline_reading::Timestamp;

/// One MQTT message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where it is published.
    pub topic: Arc<str>,
    /// What it says.
    pub payload: Vec<u8>,
    /// The instant of the reading, where the message carries a whole one for the first time: what a probe of
    /// the latency can look for in the table.
    pub first_of: Option<Timestamp>,
}
