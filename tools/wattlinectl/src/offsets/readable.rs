//! Where a partition can't be read, and where it can be again. Whole batches are damaged, so a few questions find out.

use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use wattline_service::KafkaSettings;

/// A broker that has a record delivers it within this time.
const PATIENCE: Duration = Duration::from_secs(4);
/// So long nothing must come of what is to be done without: a broker may have been busy, or the connection slow.
const DOUBT: Duration = Duration::from_secs(20);

/// Asks for records of one partition.
struct Probe<'a> {
    consumer: BaseConsumer,
    topic: &'a str,
    partition: i32,
}

/// The first offset behind a stretch that can't be read, which begins at `from` or behind it, and below `high`. None: nothing
/// is wrong, or nothing is readable behind it.
///
/// # Errors
/// Where the settings make no client.
pub(super) fn first_again(
    kafka: &KafkaSettings,
    topic: &str,
    partition: i32,
    (from, high): (i64, i64),
) -> anyhow::Result<Option<i64>> {
    let mut client = kafka.client_config("wattlinectl")?;
    client
        .set("group.id", "wattlinectl-offsets")
        .set("enable.auto.commit", "false")
        .set("check.crcs", "true");
    let consumer = client.create().context("cannot make a Kafka client")?;
    let probe = Probe { consumer, topic, partition };
    let stuck = probe.read_on((from, high))?;
    let mut step = 1;
    while stuck + step < high {
        if probe.first_from(stuck + step, PATIENCE)?.is_some() {
            let readable = probe.narrow(stuck + step / 2, stuck + step)?;
            let first = probe.first_from(stuck, DOUBT)?;
            return Ok(first.is_none_or(|first| first >= readable).then_some(readable));
        }
        step *= 2;
    }
    Ok(None)
}

// === impl Probe ===

impl Probe<'_> {
    /// Reads until nothing comes, or all that is there now has come; gives the offset from which on nothing does.
    fn read_on(&self, (from, high): (i64, i64)) -> anyhow::Result<i64> {
        self.assign(from)?;
        let mut next = from;
        while next < high
            && let Some(offset) = self.poll(next, PATIENCE)
        {
            next = offset + 1;
        }
        Ok(next)
    }

    /// The first record that comes from this offset on.
    fn first_from(&self, offset: i64, patience: Duration) -> anyhow::Result<Option<i64>> {
        self.assign(offset)?;
        Ok(self.poll(offset, patience))
    }

    /// The first readable offset between one from which on nothing comes and one from which on something does.
    fn narrow(&self, mut unreadable: i64, mut readable: i64) -> anyhow::Result<i64> {
        while unreadable + 1 < readable {
            let middle = unreadable.midpoint(readable);
            if self.first_from(middle, PATIENCE)?.is_some() {
                readable = middle;
            } else {
                unreadable = middle;
            }
        }
        Ok(readable)
    }

    fn assign(&self, offset: i64) -> anyhow::Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(self.topic, self.partition, Offset::Offset(offset))?;
        self.consumer.assign(&list).context("cannot read the partition")
    }

    fn poll(&self, from: i64, patience: Duration) -> Option<i64> {
        let until = Instant::now() + patience;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            // Errors are what is looked for.
            let record = self.consumer.poll(left).and_then(Result::ok);
            if let Some(offset) = record.map(|record| record.offset()).filter(|offset| *offset >= from) {
                return Some(offset);
            }
        }
        None
    }
}
