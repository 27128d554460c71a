//! Kafka to marks: a thread of its own, for the client's calls block.
//!
//! Partitions begin paused. When the computing task has claimed a partition's row in the database, this thread seeks to
//! that row's offset and lets records come. The group's own offsets are a hint for lag tools only.

mod silent;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use wattline_service::kafka::ClientEnded;
use wattline_service::traces::ChosenMessage;
use wattline_stream::{Listener, Rebalances, Topics};

use crate::config::Config;
use crate::decode;
use crate::marks::Now;
use crate::metrics::Metrics;
use crate::stream::{Partition, State, Stream};

const POLL: Duration = Duration::from_millis(100);
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);
/// The clock is read once for so many records.
const CLOCK_EVERY: u32 = 64;

/// The group's member.
pub(crate) type Member = BaseConsumer<Rebalances<Given>>;

/// Where it is noted that the group gives and takes partitions.
#[derive(Debug)]
pub(crate) struct Given(Arc<Stream>);

/// Joins the group.
///
/// # Errors
/// Where the settings make no client.
pub(crate) fn join(config: &Config, stream: &Arc<Stream>) -> anyhow::Result<Member> {
    let input = &config.input;
    let mut client = config.kafka.client_config("wattline-aggregator")?;
    client
        .set("group.id", &input.group)
        .set("session.timeout.ms", input.session_timeout_ms.to_string())
        .set("heartbeat.interval.ms", (input.session_timeout_ms / 3).to_string())
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        // What was damaged on a disk is no reading.
        .set("check.crcs", "true")
        .set("statistics.interval.ms", "5000")
        .set("queued.max.messages.kbytes", input.queue_kib_max.to_string())
        .set("fetch.queue.backoff.ms", "20")
        // A broker answers each fetch anew for every batch that producers append, unless it may wait for more.
        .set("fetch.min.bytes", (256 * 1024).to_string())
        .set("fetch.wait.max.ms", "500");
    if let Some(id) = &config.kafka.instance_id {
        client.set("group.instance.id", id);
    }
    let context = Rebalances::new(topics(config), Given(Arc::clone(stream)));
    let member: Member = client.create_with_context(context).context("cannot make the Kafka consumer")?;
    member.subscribe(&[&input.readings_topic]).context("cannot subscribe to the readings topic")?;
    Ok(member)
}

/// The topics that an aggregator reads.
#[must_use]
pub(crate) fn topics(config: &Config) -> Topics {
    Topics::new([(wattline_stream::Stream::Readings, config.input.readings_topic.clone())])
}

/// Turns records into marks until it is told to stop.
///
/// # Errors
/// [`ClientEnded`]: a new client must take its place.
pub(crate) fn run(
    member: &Member,
    stream: &Stream,
    config: &Config,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut now = stream.now();
    let mut clock = 0;
    while !stop.is_cancelled() {
        if clock == 0 {
            now = stream.now();
            steer(member, stream, config);
            silent::listen(member, stream, config, Instant::now());
            clock = CLOCK_EVERY;
        }
        clock -= 1;
        match member.poll(POLL) {
            Some(Ok(record)) => note(stream, &record, now, metrics),
            Some(Err(error)) => {
                if let Some((code, _)) = member.client().fatal_error() {
                    return Err(ClientEnded::Fatal(code).into());
                }
                // Else it goes on by itself; what stays is seen by the readiness of the partitions.
                warn!(%error, "Kafka: {error}");
                std::thread::sleep(POLL);
            }
            None => clock = 0,
        }
    }
    Ok(())
}

/// Notes one record as changed, if it was not read before.
fn note(stream: &Stream, record: &BorrowedMessage<'_>, now: Now, metrics: &Metrics) {
    let mut partitions = stream.lock();
    let Some(partition) = partitions.get_mut(&record.partition()) else { return };
    let offset = record.offset();
    if partition.state != State::Owned || partition.seek {
        return;
    }
    if offset < partition.position {
        // The client jumps back of its own accord only when it finds another log.
        warn!("partition {}: Kafka went back from {} to {offset}", record.partition(), partition.position);
        drop(partitions);
        stream.lose(&[record.partition()], 0);
        return;
    }
    partition.read(offset);
    match decode::meter_and_ts(record.key(), record.payload()) {
        Some((meter, ts_us)) => {
            partition.marks.add(meter, ts_us, offset, now);
            if let Some(message) = ChosenMessage::of(record) {
                partition.traced.add(meter, ts_us, message);
            }
        }
        // The sink makes a dead letter of it: nothing is stored, so nothing changes.
        None => {
            metrics.undecodable.inc();
        }
    }
    metrics.consumed.inc();
}

/// What is to be done with one partition.
struct Order {
    partition: i32,
    seek: Option<i64>,
    wait: bool,
}

/// Seeks, pauses and resumes, as the partitions' states ask for.
fn steer(member: &Member, stream: &Stream, config: &Config) {
    let topic = &config.input.readings_topic;
    for order in orders(stream, config) {
        if let Err(error) = obey(member, topic, &order) {
            // The client can refuse while it is still starting to fetch: the next look tries again.
            debug!("cannot seek, pause or resume in partition {} yet: {error}", order.partition);
            continue;
        }
        if let Some(partition) = stream.lock().get_mut(&order.partition) {
            partition.paused = order.wait;
            if order.seek == Some(partition.position) {
                partition.seek = false;
            }
        }
    }
}

fn orders(stream: &Stream, config: &Config) -> Vec<Order> {
    let full = stream.mark_count() > config.marks.count_max + config.marks.count_max / 4;
    let partitions = stream.lock();
    // The clock's step is part of the bound: so many records may come before the next look.
    let ahead_max = config.input.ahead_records_max - i64::from(CLOCK_EVERY);
    let share = ahead_max / i64::try_from(partitions.len().max(1)).unwrap_or(i64::MAX);
    // Shares grow and shrink with the number of partitions, so their sum is bounded too.
    let full = full || partitions.values().map(Partition::ahead).sum::<i64>() >= ahead_max;
    let limit = share.max(1);
    let orders = partitions.iter().filter_map(|(id, partition)| {
        let owned = partition.state == State::Owned;
        let wait = !owned || full || partition.ahead() >= limit;
        let turns = if wait { !partition.paused } else { partition.paused && partition.ahead() <= limit / 2 };
        let seek = (owned && partition.seek).then_some(partition.position);
        (turns || seek.is_some()).then_some(Order { partition: *id, seek, wait })
    });
    orders.collect()
}

/// Without the lock: a seek can take seconds.
fn obey(member: &Member, topic: &str, order: &Order) -> Result<(), KafkaError> {
    if let Some(position) = order.seek {
        member.seek(topic, order.partition, Offset::Offset(position), SEEK_TIMEOUT)?;
    }
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, order.partition);
    if order.wait { member.pause(&list) } else { member.resume(&list) }
}

// === impl Given ===

impl Listener for Given {
    fn assigned(&self, partitions: Vec<wattline_stream::Partition>) {
        info!("the group gives partitions {:?}", numbers(&partitions));
        partitions.iter().for_each(|partition| self.0.assign(partition.number));
        self.0.set_joined();
    }

    fn revoked(&self, partitions: Vec<wattline_stream::Partition>) {
        info!("the group takes back partitions {:?}", numbers(&partitions));
        partitions.iter().for_each(|partition| self.0.revoke(partition.number));
    }
}

fn numbers(partitions: &[wattline_stream::Partition]) -> Vec<i32> {
    partitions.iter().map(|partition| partition.number).collect()
}
