//! Dead letters, as Kafka gets them.

mod quota;

use std::sync::Arc;

use wattline_reading::DeadLetter;
use wattline_reading::dead_letter::beginning;
use wattline_reading::limits::Refusal;
use wattline_reading::wire::encode_dead_letter;
use wattline_routes::Judge;

use crate::received::Received;

pub use quota::DeadLetterSettings;
pub(crate) use quota::Quota;

/// Makes dead letters; its memory is used again for the next.
#[derive(Debug)]
pub(crate) struct Letters {
    judge: Arc<Judge>,
    broker: Arc<str>,
    value: Vec<u8>,
}

// === impl Letters ===

impl Letters {
    /// For messages of the broker with that name.
    pub(crate) const fn new(judge: Arc<Judge>, broker: Arc<str>) -> Self {
        Self { judge, broker, value: Vec::new() }
    }

    /// The record's value of one message's dead letter.
    pub(crate) fn encode(&mut self, message: &Received, refusal: &Refusal) -> &[u8] {
        const KEPT_BYTES_MAX: usize = 256 * 1024;
        let mqtt_topic = String::from_utf8_lossy(&message.topic).into_owned();
        let route = self.judge.routes.find(&mqtt_topic).map(|route| beginning(&route.filter).to_owned());
        let letter = DeadLetter {
            mqtt_topic,
            payload: message.payload.to_vec(),
            reason: refusal.reason.as_str().to_owned(),
            detail: beginning(&refusal.detail).to_owned(),
            received_at: message.received_at,
            retained: message.retained,
            route,
            broker: Some(self.broker.to_string()),
        };
        self.value.clear();
        self.value.shrink_to(KEPT_BYTES_MAX);
        encode_dead_letter(&letter, &mut self.value);
        &self.value
    }
}
