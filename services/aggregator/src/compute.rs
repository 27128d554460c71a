//! The computing task: claim, recompute, advance, compare; one thing at a time, on one connection.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use uuid::Uuid;
use wattline_service::{Backoff, Condition, Context};

use crate::claim::{self, Claim, Topic};
use crate::config::Config;
use crate::consume::Member;
use crate::failure::{Class, Failure, Outcome};
use crate::metrics::Metrics;
use crate::spot_check;
use crate::statements::Statements;
use crate::stream::{Partition, State, Stream};
use crate::transact::{Report, Scene, Session, Work, transact};

/// How long nothing is done when there is nothing to do.
const IDLE: Duration = Duration::from_millis(50);
/// How often an empty table `recompute` is looked at.
const TABLE_IDLE: Duration = Duration::from_secs(1);
/// When Kafka is asked again that did not answer, or whose group has not.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// When a partition that another one claimed is claimed back, if Kafka still says it's ours.
const CLAIM_BACK_MS: u64 = 2_000;

/// The task's state.
pub struct Computer {
    config: Config,
    stream: Arc<Stream>,
    member: Arc<Member>,
    metrics: Metrics,
    me: Uuid,
    session: Option<Session>,
    topic: Option<Topic>,
    /// Kafka is being asked which topic it has.
    asking: Option<JoinHandle<anyhow::Result<Topic>>>,
    /// The last row of the table `recompute` that was looked at.
    cursor: i64,
    /// How many ranges a group may have: fewer after one that took too long.
    group_ranges: usize,
    kafka: Condition,
    database: Condition,
    due: Due,
}

/// When each thing is next done.
#[derive(Debug)]
struct Due {
    identity: Instant,
    sink: Instant,
    advance: Instant,
    back_fill: Instant,
    spot_check: Instant,
}

impl Computer {
    /// Before its first turn.
    #[must_use]
    pub fn new(
        config: Config,
        stream: Arc<Stream>,
        member: Arc<Member>,
        metrics: Metrics,
        context: &Context,
    ) -> Self {
        let now = Instant::now();
        Self {
            due: Due { identity: now, sink: now, advance: now, back_fill: now, spot_check: now },
            kafka: context.ready.condition("kafka", "the group has given no partitions yet"),
            database: context.ready.condition("database", "not connected yet"),
            me: Uuid::new_v4(),
            session: None,
            topic: None,
            asking: None,
            cursor: 0,
            group_ranges: config.recompute.group_ranges_max,
            config,
            stream,
            member,
            metrics,
        }
    }

    /// Works until it is told to stop; then advances the own offsets once more.
    pub async fn run(mut self, stop: &CancellationToken) {
        let mut backoff = Backoff::default();
        info!(owner = %self.me, "computing as owner {}", self.me);
        while !stop.is_cancelled() {
            match self.turn().await {
                Ok(true) => backoff.reset(),
                Ok(false) => {
                    backoff.reset();
                    let _ = tokio::time::timeout(IDLE, stop.cancelled()).await;
                }
                Err(failure) => {
                    self.stream.release_taken();
                    let wait = self.judge(&failure, &mut backoff);
                    let _ = tokio::time::timeout(wait, stop.cancelled()).await;
                }
            }
            self.say_state();
        }
        self.stream.release_taken();
        if let Err(failure) = self.work(Work::Advance, true).await {
            info!("the own offsets were not advanced at the end: {failure}");
        }
    }

    /// One round; whether there was anything to do.
    async fn turn(&mut self) -> Outcome<bool> {
        self.connect().await?;
        self.check_identity().await;
        self.claim_assigned().await?;
        if self.stream.owned().is_empty() {
            return Ok(false);
        }
        self.look_at_sink().await?;
        let group = self.stream.take(self.group_ranges, self.stream.now());
        let advance = self.due.advance <= Instant::now() && self.stream.wants_advance();
        let live = !group.is_empty();
        if live {
            self.work(Work::Live(&group), advance).await?;
            self.group_ranges = (2 * self.group_ranges).min(self.config.recompute.group_ranges_max);
        } else if advance {
            self.work(Work::Advance, true).await?;
        }
        if self.due.back_fill <= Instant::now() {
            self.back_fill().await?;
        }
        if !live && self.config.audit.interval_ms > 0 && self.due.spot_check <= Instant::now() {
            self.due.spot_check = Instant::now() + Duration::from_millis(self.config.audit.interval_ms);
            self.spot_check().await?;
        }
        Ok(live)
    }

    /// Without a transaction, and so without a trace in the database while nothing happens.
    async fn look_at_sink(&mut self) -> Outcome<()> {
        let (Some(session), Some(topic)) = (&self.session, &self.topic) else { return Ok(()) };
        if self.due.sink > Instant::now() {
            return Ok(());
        }
        self.due.sink = Instant::now() + Duration::from_millis(self.config.recompute.poll_ms);
        let (name, owned) = (&self.config.input.readings_topic, self.stream.owned());
        let (cluster_id, topic_id) = (&topic.identity.cluster_id, &topic.identity.topic_id);
        let rows =
            session.client.query(&session.statements.sink, &[name, &owned, cluster_id, topic_id]).await?;
        self.stream.see_sink(rows.iter().map(|row| (row.get(0), row.get(1))));
        Ok(())
    }

    async fn connect(&mut self) -> Outcome<()> {
        if self.session.as_ref().is_some_and(|session| !session.client.is_closed()) {
            return Ok(());
        }
        self.session = None;
        let client =
            self.config.database.connect(&self.config.kafka.replica_name("wattline-aggregator")).await?;
        // A process that is frozen in a transaction must not hold the database's old row versions for ever.
        client.batch_execute("SET idle_in_transaction_session_timeout = '60s'").await?;
        let statements = Statements::prepare(&client).await?;
        self.session = Some(Session { client, statements, keys: std::collections::HashMap::new() });
        Ok(())
    }

    /// A topic that was made anew has other offsets: everything stops, before a mark of the new one is computed against
    /// the sink's offset in the old one. Kafka is asked beside the work: while it is away, that goes on.
    async fn check_identity(&mut self) {
        if self.asking.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(asking) = self.asking.take()
        {
            let answer = asking.await;
            self.take_identity(answer.unwrap_or_else(|error| Err(error.into())));
        }
        if self.asking.is_none() && self.due.identity <= Instant::now() {
            self.due.identity = Instant::now() + Duration::from_millis(self.config.input.identity_check_ms);
            let (member, name) = (Arc::clone(&self.member), self.config.input.readings_topic.clone());
            self.asking = Some(tokio::task::spawn_blocking(move || claim::ask_topic(&member, &name)));
        }
    }

    fn take_identity(&mut self, answer: anyhow::Result<Topic>) {
        match answer {
            Ok(now) => {
                let before = self.topic.replace(now.clone());
                if before.is_some_and(|before| before.identity != now.identity) {
                    let why = "the topic was made anew, or kafka.brokers leads to another cluster";
                    self.stream.stop_all(0, why);
                }
                if self.stream.has_joined() {
                    self.kafka.holds();
                } else {
                    // The group answers soon.
                    self.due.identity = Instant::now() + ASK_AGAIN;
                }
            }
            Err(error) => {
                self.due.identity = Instant::now() + ASK_AGAIN;
                self.kafka.fails(format!("{error:#}"));
                warn!("Kafka does not tell the topic's identity: {error:#}");
            }
        }
    }

    async fn claim_assigned(&mut self) -> Outcome<()> {
        let now_ms = self.stream.now().steady_ms;
        let due = |state: &State| match state {
            State::Owned => false,
            State::Assigned(at_ms) | State::Stopped(at_ms, _) => *at_ms <= now_ms,
        };
        let waiting: Vec<i32> =
            self.stream.lock().iter().filter(|(_, entry)| due(&entry.state)).map(|(id, _)| *id).collect();
        let (Some(topic), Some(session)) = (&self.topic, &mut self.session) else { return Ok(()) };
        for id in waiting {
            let claim =
                claim::claim(&mut session.client, &self.config, &self.member, topic, id, self.me).await?;
            let mut partitions = self.stream.lock();
            // Taken back in the meantime: its next owner changes the row.
            let Some(entry) = partitions.get_mut(&id) else { continue };
            match claim {
                Claim::Owned { next_offset, lost } => {
                    info!(partition = id, next_offset, "partition {id} is ours from offset {next_offset} on");
                    self.metrics.lost.inc_by(u64::try_from(lost).unwrap_or(0));
                    entry.own(next_offset);
                }
                Claim::Refused(why) => {
                    error!(partition = id, "partition {id} is stopped: {why}");
                    entry.state = State::Stopped(now_ms + self.config.recompute.retry_stopped_ms, why);
                }
            }
        }
        Ok(())
    }

    async fn work(&mut self, work: Work<'_>, advance: bool) -> Outcome<Report> {
        let name = match work {
            Work::Live(_) => "live",
            Work::BackFill(_) => "back_fill",
            Work::Advance => "advance",
        };
        let (Some(session), Some(topic)) = (&mut self.session, &self.topic) else {
            return Ok(Report::default());
        };
        let scene =
            Scene { stream: &self.stream, config: &self.config, topic, me: self.me, metrics: &self.metrics };
        let began = Instant::now();
        let outcome = transact(session, scene, work, advance).await;
        self.metrics.transaction_seconds.observe(began.elapsed().as_secs_f64());
        let report = outcome.inspect_err(|failure| {
            let again = failure.class() == Class::Again;
            self.metrics.count(name, if again { "again" } else { "failed" });
        })?;
        self.metrics.count(name, "committed");
        self.stream.clear_taken(self.stream.now());
        if advance {
            self.due.advance = Instant::now() + Duration::from_millis(self.config.recompute.advance_ms);
            self.tell_group(&report);
        }
        Ok(report)
    }

    /// One slice of the table `recompute`, and then a pause of twice its duration: at most a third of the time. Live
    /// marks have gone first.
    async fn back_fill(&mut self) -> Outcome<()> {
        let Some(session) = &self.session else { return Ok(()) };
        let rows = session.client.query_one("SELECT count(*) FROM recompute", &[]).await?.get(0);
        self.metrics.recompute_rows.set(rows);
        if rows == 0 {
            self.due.back_fill = Instant::now() + TABLE_IDLE;
            return Ok(());
        }
        let began = Instant::now();
        let report = self.work(Work::BackFill(self.cursor), false).await?;
        self.cursor = report.slice.cursor;
        let idle = report.slice.jobs.is_empty() && report.slice.done.is_empty() && self.cursor == 0;
        let pause = if idle { TABLE_IDLE } else { 2 * began.elapsed() };
        self.due.back_fill = Instant::now() + pause;
        Ok(())
    }

    async fn spot_check(&mut self) -> Outcome<()> {
        let (Some(session), Some(topic)) = (&mut self.session, &self.topic) else { return Ok(()) };
        let found = spot_check::spot_check(session, &self.stream, &self.config, topic).await?;
        self.metrics.audited.inc_by(found.compared as u64);
        self.metrics.mismatches.inc_by(found.mismatches.len() as u64);
        for mismatch in &found.mismatches {
            error!("a stored bucket is not what its rows give: {mismatch}");
        }
        Ok(())
    }

    /// The own offsets as the group's, for lag tools; nothing reads them back.
    fn tell_group(&self, report: &Report) {
        let mut partitions = self.stream.lock();
        let mut list = TopicPartitionList::new();
        for (id, next) in &report.advanced {
            if let Some(entry) = partitions.get_mut(id) {
                entry.own_offset = *next;
                let topic = &self.config.input.readings_topic;
                if let Err(error) = list.add_partition_offset(topic, *id, rdkafka::Offset::Offset(*next)) {
                    debug!("no group offset for partition {id}: {error}");
                }
            }
        }
        drop(partitions);
        if list.count() > 0
            && let Err(error) = self.member.commit(&list, CommitMode::Async)
        {
            debug!("the group's offsets were not committed: {error}");
        }
    }

    /// What to do about a failure, and how long to wait first.
    fn judge(&mut self, failure: &Failure, backoff: &mut Backoff) -> Duration {
        if let Failure::NotOwner(partitions) = failure {
            warn!("{failure}: what was read of them is forgotten");
            self.stream.lose(partitions, self.stream.now().steady_ms + CLAIM_BACK_MS);
        }
        match failure.class() {
            Class::Again => {
                debug!("again: {failure}");
                Duration::ZERO
            }
            Class::Transient => {
                warn!("{failure}; trying again");
                self.database.fails(failure.to_string());
                backoff.next_wait()
            }
            Class::TooLong => {
                self.group_ranges = (self.group_ranges / 4).max(1);
                warn!("{failure}; trying again with {} ranges at once", self.group_ranges);
                backoff.next_wait()
            }
            Class::Stop => {
                error!("computing is stopped: {failure}");
                self.database.fails(failure.to_string());
                Duration::from_millis(self.config.recompute.retry_stopped_ms)
            }
        }
    }

    fn say_state(&self) {
        let mut partitions = self.stream.lock();
        let mut behind_seconds: f64 = 0.0;
        for entry in partitions.values_mut().filter(|entry| entry.state == State::Owned) {
            let now = std::time::Instant::now();
            behind_seconds = behind_seconds.max(entry.behind.look(entry.own_offset, entry.sink_offset, now));
        }
        self.metrics.behind_seconds.set(behind_seconds);
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let entries = || partitions.values();
        let stopped = entries().find_map(|entry| match &entry.state {
            State::Stopped(_, why) => Some(why.clone()),
            _ => None,
        });
        let owned = || entries().filter(|entry| entry.state == State::Owned);
        self.metrics.partitions_owned.set(count(owned().count()));
        self.metrics
            .partitions_stopped
            .set(count(entries().filter(|entry| matches!(entry.state, State::Stopped(..))).count()));
        self.metrics.marks.set(count(entries().map(|entry| entry.marks.len()).sum()));
        self.metrics.ahead_records.set(owned().map(Partition::ahead).sum());
        self.metrics.behind_records.set(owned().map(|entry| entry.position - entry.own_offset).sum());
        let all_owned = owned().count() == partitions.len();
        drop(partitions);
        match stopped {
            Some(why) => self.database.fails(why),
            None if all_owned && self.session.as_ref().is_some_and(|session| !session.client.is_closed()) => {
                self.database.holds();
            }
            None => {}
        }
    }
}
