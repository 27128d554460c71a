//! What an error of a delivery means for who has sent the record.

use rdkafka::error::RDKafkaErrorCode;

/// A delivery error that librdkafka does not retry by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryError {
    /// Kafka will never take this record.
    Record,
    /// Kafka takes no record until somebody changes something, or this producer is broken.
    Configuration,
}

// === impl DeliveryError ===

impl DeliveryError {
    /// The kind of an error that librdkafka reports; what it retries by itself never comes here.
    ///
    /// "Too large" is the topic's setting: Kafka says it of whole batches, and a reading has some hundred bytes.
    /// Taken for the record's fault, a lowered `max.message.bytes` would fill the dead letters with good messages.
    #[must_use]
    pub const fn classify(error: RDKafkaErrorCode) -> Self {
        match error {
            RDKafkaErrorCode::InvalidRecord | RDKafkaErrorCode::InvalidDifferentRecord => Self::Record,
            _ => Self::Configuration,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_the_record_is_its_fault() {
        use RDKafkaErrorCode as Code;
        for code in [Code::InvalidRecord, Code::InvalidDifferentRecord] {
            assert_eq!(DeliveryError::classify(code), DeliveryError::Record, "{code:?}");
        }
        for code in [
            Code::TopicAuthorizationFailed,
            Code::ClusterAuthorizationFailed,
            Code::UnknownTopic,
            Code::UnknownTopicOrPartition,
            Code::Fatal,
            Code::QueueFull,
            Code::MessageSizeTooLarge,
            Code::InvalidTimestamp,
            Code::MessageTimedOut,
            Code::PurgeInflight,
        ] {
            assert_eq!(DeliveryError::classify(code), DeliveryError::Configuration, "{code:?}");
        }
    }
}
