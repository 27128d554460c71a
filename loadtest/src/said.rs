//! What librdkafka says of its connections: its errors name a code only, its log and its events say why.

use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Keeps the last complaint.
#[derive(Default)]
pub(crate) struct Said(Mutex<Option<String>>);

impl ClientContext for Said {
    fn log(&self, level: RDKafkaLogLevel, _facility: &str, message: &str) {
        if (level as i32) <= RDKafkaLogLevel::Error as i32 {
            *self.0.lock() = Some(message.to_owned());
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // That all are down says nothing of why.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.0.lock() = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for Said {}

// === impl Said ===

impl Said {
    /// `: ` and the last complaint, or nothing. Events wait to be asked for, and the log is another thread's: it has a second.
    pub(crate) fn last(consumer: &BaseConsumer<Self>) -> String {
        for _ in 0..10 {
            drop(consumer.poll(Duration::from_millis(100)));
            if let Some(said) = consumer.context().0.lock().as_ref() {
                return format!(": {said}");
            }
        }
        String::new()
    }
}
