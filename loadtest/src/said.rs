//! What librdkafka says of its connections: its errors name a code only, its log says why.

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;

/// Keeps the last complaint.
#[derive(Default)]
pub(crate) struct Said(Mutex<Option<String>>);

impl ClientContext for Said {
    fn log(&self, level: RDKafkaLogLevel, _facility: &str, message: &str) {
        if (level as i32) <= RDKafkaLogLevel::Error as i32 {
            *self.0.lock() = Some(message.to_owned());
        }
    }
}

impl ConsumerContext for Said {}

// === impl Said ===

impl Said {
    /// `: ` and the last complaint, or nothing.
    pub(crate) fn last(&self) -> String {
        self.0.lock().as_ref().map(|said| format!(": {said}")).unwrap_or_default()
    }
}
