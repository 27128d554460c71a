//! Whether a partition may be read on: its row against what Kafka says. Pure.

use wattline_service::row;

use crate::ask::Present;
use crate::id::Mark;

row! {
    /// A row of `stream_offset`, before it is taken.
    #[derive(Clone, Debug)]
    pub(crate) struct Found {
        pub(crate) next_offset: i64,
        pub(crate) cluster_id: String,
        pub(crate) topic_id: String,
        /// How many partitions the topic had. Rows that an older version wrote don't say.
        pub(crate) partitions: Option<i32>,
        /// Why it was refused, until a person has decided.
        pub(crate) refused: Option<String>,
        /// The last record that was stored, if its time is known.
        pub(crate) mark_offset: Option<i64>,
        /// Its time.
        pub(crate) mark_ms: Option<i64>,
    }
}

/// Which row, for what is said to people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) consumer: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) number: i32,
}

/// A mark that is further behind is of before a version that keeps none.
const MARK_DISTANCE_MAX: i64 = 10_000;

// === impl Found ===

impl Found {
    /// The record by which the log is known again, if it is near: everything behind it is read again.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let mark = Mark { offset: self.mark_offset?, at_ms: self.mark_ms? };
        let distance = self.next_offset.saturating_sub(mark.offset);
        (1..=MARK_DISTANCE_MAX).contains(&distance).then_some(mark)
    }

    /// Why the partition may not be read on, if so: what the row itself shows.
    pub(crate) fn refusal(&self, place: Place<'_>, present: &Present) -> Option<String> {
        let Place { topic, number, .. } = place;
        let (known, now) = (self, &present.identity);
        if (&known.cluster_id, &known.topic_id) != (&now.cluster_id, &now.topic_id) {
            return Some(format!(
                "partition {number} of {topic}: the offset {} in the database belongs to topic id {} in cluster {}, \
                 but Kafka has topic id {} in cluster {}. If the topic was made anew and the old records are gone for \
                 good: `wattlinectl offsets reset --topic {topic}`; if this is another cluster, correct \
                 kafka.brokers or database.url",
                self.next_offset, known.topic_id, known.cluster_id, now.topic_id, now.cluster_id
            ));
        }
        if let Some(refused) = &self.refused {
            return Some(refused.clone());
        }
        match self.partitions {
            Some(before) if before != present.partitions => Some(format!(
                "partition {number} of {topic}: the topic had {before} partitions and has {now}: a meter's records are \
                 in two of them, no longer in one order, and written by two at once. To read it all the same, with the \
                 conflicts and overwritten values that this can make: `wattlinectl offsets adopt --topic {topic} \
                 --partitions`. To have order again afterwards: stop mqtt-ingest, wait until nothing lags, delete the \
                 topic, make it anew with `wattlinectl topics`, and `wattlinectl offsets reset --topic {topic}`",
                now = present.partitions
            )),
            _ => None,
        }
    }
}

/// What is said of a partition of which Kafka has lost records that this consumer had already.
pub(crate) fn lost_tail(place: Place<'_>, next: i64, high: i64) -> String {
    let Place { consumer, topic, number } = place;
    format!(
        "partition {number} of {topic}: {consumer} had come to offset {next}, but Kafka ends at {high}: Kafka has lost \
         records that were stored (restored from an older copy, or an unclean leader election). What is written \
         meanwhile waits. To store it, from offset {high} on: `wattlinectl offsets adopt --topic {topic} --partition \
         {number}`"
    )
}

/// What is said where Kafka has another record than the one that this consumer had already.
pub(crate) fn another_log(place: Place<'_>, mark: Mark, end: i64) -> String {
    let Place { consumer, topic, number } = place;
    format!(
        "partition {number} of {topic}: {consumer} had read the record at offset {offset} before, but Kafka has another \
         one there now: Kafka had lost records that were stored, and was written on since (restored from an older copy, or \
         an unclean leader election). What is written meanwhile waits. To store it, from offset {end} on, where the log \
         can't be another one yet: `wattlinectl offsets adopt --topic {topic} --partition {number}`",
        offset = mark.offset
    )
}

/// How many offsets between the wanted one and the oldest that Kafka keeps are lost. Offsets without a record above that
/// are none: markers of transactions, records of aborted ones, and what compaction took.
pub(crate) fn lost(next: i64, present: &Present) -> i64 {
    (present.low - next).max(0)
}

#[cfg(test)]
mod tests {
    use wattline_service::TopicIdentity;

    use super::*;

    const PLACE: Place<'static> = Place { consumer: "c", topic: "a", number: 3 };

    fn identity(topic_id: &str) -> TopicIdentity {
        TopicIdentity { cluster_id: "c".to_owned(), topic_id: topic_id.to_owned() }
    }

    fn present(low: i64, high: i64) -> Present {
        Present { identity: identity("t"), partitions: 4, low, high }
    }

    fn found() -> Found {
        let TopicIdentity { cluster_id, topic_id } = identity("t");
        Found {
            next_offset: 5,
            cluster_id,
            topic_id,
            partitions: Some(4),
            refused: None,
            mark_offset: Some(4),
            mark_ms: Some(7),
        }
    }

    #[test]
    fn what_kafka_no_longer_has_is_lost() {
        for (next, (low, high), expected) in [(5, (0, 9), 0), (5, (5, 5), 0), (5, (7, 9), 2), (5, (9, 9), 4)]
        {
            assert_eq!(lost(next, &present(low, high)), expected, "{low}..{high}");
        }
    }

    #[test]
    fn offsets_of_another_topic_stop_the_partition_and_name_the_cure() {
        let error = Found { topic_id: "old".to_owned(), ..found() }.refusal(PLACE, &present(0, 9)).unwrap();
        for part in ["partition 3 of a", "old", "`wattlinectl offsets reset --topic a`", "kafka.brokers"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_refusal_stays_until_a_person_has_decided() {
        assert_eq!(found().refusal(PLACE, &present(0, 9)), None);
        let refused = Found { refused: Some("lost".to_owned()), ..found() };
        assert_eq!(refused.refusal(PLACE, &present(0, 9)), Some("lost".to_owned()));
    }

    #[test]
    fn another_number_of_partitions_stops_the_partition() {
        let error = Found { partitions: Some(2), ..found() }.refusal(PLACE, &present(0, 9)).unwrap();
        assert!(error.contains("had 2 partitions and has 4"), "{error}");
        assert_eq!(Found { partitions: None, ..found() }.refusal(PLACE, &present(0, 9)), None);
    }

    #[test]
    fn a_lost_tail_names_its_cure() {
        let cure = "`wattlinectl offsets adopt --topic a --partition 3`";
        let error = lost_tail(PLACE, 10, 9);
        assert!(error.contains("ends at 9") && error.contains(cure), "{error}");
        let error = another_log(PLACE, Mark { offset: 8, at_ms: 7 }, 5);
        assert!(error.contains("from offset 5 on") && error.contains(cure), "{error}");
    }

    #[test]
    fn a_mark_is_of_a_record_that_was_read() {
        assert_eq!(found().mark(), Some(Mark { offset: 4, at_ms: 7 }));
        assert_eq!(Found { mark_offset: Some(5), ..found() }.mark(), None, "a row that a person moved back");
        assert_eq!(Found { mark_ms: None, ..found() }.mark(), None);
        assert_eq!(Found { next_offset: 20_000, ..found() }.mark(), None, "a version without marks was here");
    }
}
