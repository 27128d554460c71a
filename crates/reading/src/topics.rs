//! Kafka topics, defined once. The major version is in the name; a topic's number of partitions never changes
//! (more partitions = next version), because the key decides the partition.

/// One Kafka topic and what it is made with.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// Its name.
    pub name: &'static str,
    /// Its number of partitions.
    pub partitions: i32,
    /// How long records are kept, in ms.
    pub retention_ms: i64,
}

// === impl Topic ===

impl Topic {
    /// What is wrong with a topic that has so many partitions, and what to do.
    #[must_use]
    pub fn wrong_partitions(&self, partitions: usize) -> Option<String> {
        let Self { name, partitions: wanted, .. } = self;
        (i32::try_from(partitions) != Ok(*wanted)).then(|| {
            format!(
                "the topic {name} has {partitions} partitions, must have {wanted}: a meter's readings would be spread \
                 over partitions. When nothing lags any more, delete it, make it anew with `wattlinectl topics`, and \
                 `wattlinectl offsets reset --topic {name}`: what meters send meanwhile waits in the broker"
            )
        })
    }
}

/// Readings, keyed by meter id.
pub const READINGS: Topic = Topic { name: "wattline.readings.v1", partitions: 12, retention_ms: 7 * DAY_MS };
/// Messages that could not become readings, whole.
pub const DEAD_LETTERS: Topic =
    Topic { name: "wattline.dead-letters.v1", partitions: 3, retention_ms: 30 * DAY_MS };
/// All of them.
pub const ALL: [Topic; 2] = [READINGS, DEAD_LETTERS];

/// The largest record: above the largest MQTT packet that is accepted by 64 KiB. A dead letter has the packet's topic and
/// payload, and besides nothing that is longer than [`crate::dead_letter::TEXT_BYTES_MAX`].
pub const RECORD_BYTES_MAX: usize = PACKET_BYTES_MAX + 64 * 1024;
/// The largest MQTT packet that ingest lets a broker send. Above the limit of any sensible broker: a broker
/// silently discards what is too big for its client.
pub const PACKET_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The setting of a topic that says whose clock stamps its records, and what it must be: the broker's. With the
/// producer's, Kafka refuses every record of a host whose clock is an hour ahead.
pub const TIMESTAMP_TYPE: (&str, &str) = ("message.timestamp.type", "LogAppendTime");
/// The setting of a topic that says what Kafka throws away, and what it must be: what is old. A compacted topic keeps the
/// last reading of each meter, whether the others are stored or not.
pub const CLEANUP_POLICY: (&str, &str) = ("cleanup.policy", "delete");
/// All producers must place a key alike.
pub const PARTITIONER: &str = "murmur2_random";

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
