//! Kafka → TimescaleDB, each reading once.
//!
//! Three wings, in the order of the data. `consume`: a thread polls and decodes into a `batch`. `writer`: a task takes it
//! as `work`, takes partitions on, and decides what a `failure` means: wait, narrow down, stop the partition. `write`: rows,
//! offsets and `outcome`s in one transaction; in there, `meters` are made known, `plan` says what becomes of each record,
//! by what the table has `stored` ([`wattline_reading::merge`] where two meet) and which are second `copies`; `copy` sends
//! the rows, `letters` puts aside what can't be one, `bisect` finds the record that the database refuses.
//!
//! The offset in the database is the truth: it moves in the transaction of the rows. Kafka's own group offsets are a
//! hint. How a writer owns a partition is the crate `wattline_stream`.

mod batch;
pub mod config;
mod consume;
mod failure;
mod health;
mod metrics;
mod outcome;
mod session;
mod work;
mod write;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wattline_service::Context;
use wattline_service::kafka::Clients;
use wattline_service::traces::Links;
use wattline_stream::{
    Asking, Assignments, Blockers, Offsets, Rebalances, Stream, Topics, consumer, leave, watch,
};

pub use config::Config;
use consume::Consuming;
use consume::events::{Events, KafkaConsumer};
use health::Health;
use metrics::{ErrorClass, Metrics, Stage};
use write::Writing;
use write::meters::{Meters, Rules};
use writer::{Server, Writer};

/// Answers that may wait for a consumer's thread; above the partitions that one member can hold at once.
const ANSWERS_MAX: usize = 256;

/// What the writers of a process share.
struct Shared {
    config: Arc<Config>,
    topics: Topics,
    metrics: Metrics,
    health: Arc<Health>,
    rules: Arc<Rules>,
    stop: CancellationToken,
}

/// Runs the sink until `context.shutdown`; then writes what it has, within the deadline.
///
/// # Errors
/// Where it can't begin, or a writer or its consumer has ended.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let writers = config.batch.writers;
    let mut shared = Shared {
        topics: Topics::new([
            (Stream::Readings, config.input.readings_topic.clone()),
            (Stream::DeadLetters, config.input.dead_letters_topic.clone()),
        ]),
        metrics: context.metrics.register(Metrics::register),
        health: Arc::new(Health::new(&context.ready, writers)),
        rules: Arc::new(Rules::new(config.meters.new_per_minute_max, config.meters.allow_file.as_deref())?),
        stop: context.shutdown.child_token(),
        config: Arc::new(config),
    };
    let mut clients = Clients::begin();
    loop {
        let outcome = shared.round().await;
        let Some(ended) = clients.mendable(outcome, &context.shutdown)? else { return Ok(()) };
        shared.metrics.error(Stage::Consuming, ErrorClass::Fenced);
        shared.metrics.partitions_assigned.set(0);
        shared.health.begin_anew(writers, ended.to_string());
        if !clients.next(&context.shutdown).await {
            return Ok(());
        }
        shared.stop = context.shutdown.child_token();
    }
}

// === impl Shared ===

impl Shared {
    /// All writers with clients of their own, until the stop or until one of them ends.
    async fn round(&self) -> anyhow::Result<()> {
        // The threads end with this future, however it ends.
        let _guard = self.stop.clone().drop_guard();
        let mut tasks = JoinSet::new();
        let mut members = Vec::new();
        for index in 0..self.config.batch.writers {
            members.push(self.start_writer(index, &mut tasks)?);
        }
        let first = members.first().ok_or_else(|| anyhow!("batch.writers is 0"))?;
        tasks.spawn(self.watch(Arc::clone(first)));
        let mut outcome = Ok(());
        while let Some(ended) = tasks.join_next().await {
            let ended = ended.map_err(|error| anyhow!("a task of the sink has failed: {error}")).flatten();
            // The first to fail stops all; the others' ends follow from it.
            outcome = outcome.and(ended);
            if outcome.is_err() {
                self.stop.cancel();
            }
        }
        let mut leaving: JoinSet<()> = members.into_iter().map(leave).collect();
        while leaving.join_next().await.is_some() {}
        outcome
    }

    /// Watches the topics until the stop; ends the round when one has changed.
    fn watch(&self, consumer: Arc<KafkaConsumer>) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let interval = Duration::from_millis(self.config.input.identity_check_ms);
        let (topics, health, stop) = (self.topics.clone(), Arc::clone(&self.health), self.stop.clone());
        async move {
            let watching = watch::watch(consumer, topics, interval, |problem| health.kafka(problem));
            match stop.run_until_cancelled(watching).await {
                Some(ended) => Err(ended.into()),
                None => Ok(()),
            }
        }
    }

    /// Starts a writer and the thread that feeds it.
    fn start_writer(
        &self,
        index: usize,
        tasks: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<Arc<KafkaConsumer>> {
        let assignments = Arc::new(Assignments::default());
        let consumer = Arc::new(self.consumer(index, &assignments)?);
        // One batch waits while one is written and one is filled: that is all the memory there is for them.
        let (work, work_queue) = mpsc::channel(1);
        let (answers, answer_queue) = mpsc::channel(ANSWERS_MAX);
        let writer = Writer {
            index,
            config: Arc::clone(&self.config),
            consumer: Arc::clone(&consumer),
            assignments: Arc::clone(&assignments),
            asking: Asking::default(),
            writing: Writing {
                offsets: Offsets {
                    consumer: consumer::SINK,
                    topics: self.topics.clone(),
                    owner: Uuid::new_v4(),
                },
                blockers: self.blockers(&assignments),
                meters: Meters::new(Arc::clone(&self.rules), self.metrics.clone()),
                refused_rows_max: self.config.store.refused_rows_max,
            },
            session: None,
            server: Server::Unknown,
            messages: Links::default(),
            answers,
            metrics: self.metrics.clone(),
            health: Arc::clone(&self.health),
            stop: self.stop.clone(),
        };
        let consuming = Consuming {
            writer: index,
            config: Arc::clone(&self.config),
            topics: self.topics.clone(),
            consumer: Arc::clone(&consumer),
            assignments,
            work,
            answers: answer_queue,
            metrics: self.metrics.clone(),
            health: Arc::clone(&self.health),
            stop: self.stop.clone(),
            runtime: Handle::current(),
            state: consume::State::default(),
        };
        let (ended, end) = oneshot::channel();
        std::thread::Builder::new()
            .name(format!("consumer-{index}"))
            .spawn(move || {
                // Nobody waits for the end of a run that was dropped.
                let _ = ended.send(consuming.run());
            })
            .context("cannot start a consumer's thread")?;
        tasks.spawn(async move {
            writer.run(work_queue).await;
            Ok(())
        });
        tasks.spawn(async move { end.await.context("a consumer's thread has failed")? });
        Ok(consumer)
    }

    fn blockers(&self, assignments: &Arc<Assignments>) -> Blockers {
        let ended = self.metrics.blockers_ended.clone();
        let name = "wattline-timescale-sink/unblock".to_owned();
        Blockers::new(self.config.database.clone(), name, Arc::clone(assignments), move || {
            ended.inc();
        })
    }

    /// One member of the group.
    fn consumer(&self, index: usize, assignments: &Arc<Assignments>) -> anyhow::Result<KafkaConsumer> {
        let Config { kafka, input, .. } = &*self.config;
        let mut config = kafka.client_config(&format!("wattline-timescale-sink-{index}"))?;
        config
            .set("group.id", &input.group)
            .set("session.timeout.ms", input.session_timeout_ms.to_string())
            .set("heartbeat.interval.ms", (input.session_timeout_ms / 4).to_string())
            .set("enable.auto.commit", "true")
            .set("enable.auto.offset.store", "false")
            // Where a partition begins is asked of the database; this is for a log that isn't the one we knew, and
            // then the first record shows it.
            .set("auto.offset.reset", "earliest")
            // What was damaged on a disk is no reading.
            .set("check.crcs", "true")
            .set("queued.max.messages.kbytes", input.queue_kib_max.to_string())
            .set("fetch.queue.backoff.ms", "20")
            // A broker answers each fetch anew for every batch that producers append, unless it may wait for more.
            .set("fetch.min.bytes", (128 * 1024).to_string())
            .set("fetch.wait.max.ms", "50")
            // The limit above counts payloads alone, before a fetch; these keep what a fetch brings, compressed and
            // with a few hundred bytes of the client's own for each record, from being many times that.
            .set("queued.min.messages", "10000")
            .set("fetch.message.max.bytes", (256 * 1024).to_string())
            .set("fetch.max.bytes", (2 * 1024 * 1024).to_string())
            .set("topic.metadata.refresh.interval.ms", "30000")
            .set("statistics.interval.ms", "5000")
            .set_log_level(RDKafkaLogLevel::Warning);
        if let Some(id) = &kafka.instance_id {
            config.set("group.instance.id", format!("{id}-{index}"));
        }
        let events = Events::new(Arc::clone(assignments), self.metrics.clone());
        let rebalances = Rebalances::new(self.topics.clone(), events);
        KafkaConsumer::from_config_and_context(&config, rebalances).context("cannot make the Kafka consumer")
    }
}
