//! The computing task: claim, recompute, advance, compare; one thing at a time, on one connection.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{CommitMode, Consumer};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::field::Empty;
use tracing::{Instrument, debug, error, info, info_span, warn};
use uuid::Uuid;
use wattline_service::kafka::ClientEnded;
use wattline_service::{Backoff, Condition, Context};
use wattline_stream::ask::Topic;
use wattline_stream::offsets::seen;
use wattline_stream::watch::{Change, Known};
use wattline_stream::{Asking, Assignment, Blockers, Offsets, Present, ask, consumer};

use crate::claim::{Claim, Claimer};
use crate::config::Config;
use crate::consume::{self, Member};
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
/// When a partition is claimed again that Kafka said nothing of.
const CLAIM_AGAIN_MS: u64 = 1_000;
/// When a partition that another one claimed is claimed back, if Kafka still says it's ours.
const CLAIM_BACK_MS: u64 = 2_000;

/// The task's state.
pub struct Computer {
    config: Config,
    stream: Arc<Stream>,
    member: Arc<Member>,
    metrics: Metrics,
    offsets: Offsets,
    blockers: Blockers,
    session: Option<Session>,
    topic: Option<Topic>,
    known: Known,
    /// Only a new client can go on.
    ended: Option<ClientEnded>,
    /// Kafka is being asked which topic it has.
    asking: Option<JoinHandle<Result<Topic, String>>>,
    /// Kafka is being asked what partitions hold that are to be claimed.
    asking_claims: Asking,
    /// The assignments of these.
    asked: HashSet<Assignment>,
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
            offsets: Offsets {
                consumer: consumer::AGGREGATOR,
                topics: consume::topics(&config),
                owner: Uuid::new_v4(),
            },
            blockers: Blockers::new(
                config.database.clone(),
                "wattline-aggregator claim".to_owned(),
                Arc::clone(stream.assignments()),
                || {},
            ),
            session: None,
            topic: None,
            known: Known::default(),
            ended: None,
            asking: None,
            asking_claims: Asking::default(),
            asked: HashSet::new(),
            cursor: 0,
            group_ranges: config.recompute.group_ranges_max,
            config,
            stream,
            member,
            metrics,
        }
    }

    /// Works until it is told to stop; then advances the own offsets once more.
    ///
    /// # Errors
    /// [`ClientEnded`]: a new client must take the place of this one.
    pub async fn run(mut self, stop: &CancellationToken) -> Result<(), ClientEnded> {
        let mut backoff = Backoff::default();
        let owner = self.offsets.owner;
        info!(%owner, "computing as owner {owner}");
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
            if let Some(ended) = self.ended.take() {
                // Nothing more is computed: what is known belongs to the topic that was there.
                return Err(ended);
            }
        }
        self.stream.release_taken();
        if let Err(failure) = self.work(Work::Advance, true).await {
            info!("the own offsets were not advanced at the end: {failure}");
        }
        Ok(())
    }

    /// One round; whether there was anything to do.
    async fn turn(&mut self) -> Outcome<bool> {
        self.connect().await?;
        self.check_identity().await;
        if self.ended.is_some() {
            return Ok(false);
        }
        self.ask_for_assigned();
        self.claim_asked().await?;
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
        let name = (self.config.input.readings_topic.as_str(), &topic.identity);
        let owned = self.stream.owned();
        let offsets = seen(&session.client, &session.rows, consumer::SINK, name, &owned).await?;
        self.stream.see_sink(offsets.into_iter());
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
        let rows = wattline_stream::Statements::prepare(&client).await?;
        let backend_pid = client.query_one("SELECT pg_backend_pid() AS pid", &[]).await?.try_get("pid")?;
        let keys = std::collections::HashMap::new();
        self.session = Some(Session { client, backend_pid, rows, statements, keys });
        // The database may have lost what was committed last, and the marks of that are cleared: what the rows say counts.
        self.stream.lose(&self.stream.owned(), 0);
        Ok(())
    }

    /// A topic that was made anew has other offsets: everything ends, before a mark of the new one is computed against the
    /// sink's offset in the old one, and begins with a new client. Kafka is asked beside the work: while it is away, that
    /// goes on.
    async fn check_identity(&mut self) {
        if self.asking.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(asking) = self.asking.take()
        {
            let answer = asking.await;
            self.take_identity(answer.unwrap_or_else(|error| Err(error.to_string())));
        }
        if self.asking.is_none() && self.due.identity <= Instant::now() {
            self.due.identity = Instant::now() + Duration::from_millis(self.config.input.identity_check_ms);
            let (member, name) = (Arc::clone(&self.member), self.config.input.readings_topic.clone());
            self.asking = Some(tokio::spawn(async move { ask::topic(&member, &name).await }));
        }
    }

    fn take_identity(&mut self, answer: Result<Topic, String>) {
        match answer {
            Ok(now) => {
                let name = &self.config.input.readings_topic;
                self.ended = match self.known.look(wattline_stream::Stream::Readings, name, now.clone()) {
                    Change::None => None,
                    Change::Anew(topic) => Some(ClientEnded::TopicAnew(topic)),
                    change @ Change::Partitions { .. } => Some(ClientEnded::Partitions(change.to_string())),
                };
                self.topic = Some(now);
                if self.stream.has_joined() {
                    self.kafka.holds();
                } else {
                    // The group answers soon.
                    self.due.identity = Instant::now() + ASK_AGAIN;
                }
            }
            Err(error) => {
                self.due.identity = Instant::now() + ASK_AGAIN;
                warn!("Kafka does not tell the topic's identity: {error}");
                self.kafka.fails(error);
            }
        }
    }

    /// Asks Kafka about the partitions whose claim is due; one without a leader keeps nobody else waiting.
    fn ask_for_assigned(&mut self) {
        if self.topic.is_none() {
            return;
        }
        let now_ms = self.stream.now().steady_ms;
        let due = |state: &State| match state {
            State::Owned => false,
            State::Assigned(at_ms) | State::Stopped(at_ms, _) => *at_ms <= now_ms,
        };
        let partitions = self.stream.lock();
        let claims: Vec<wattline_stream::Claim> = self
            .stream
            .assignments()
            .held()
            .into_iter()
            .filter(|(id, _)| partitions.get(&id.number).is_some_and(|entry| due(&entry.state)))
            .filter(|(_, assignment)| self.asked.insert(*assignment))
            .map(|(partition, assignment)| wattline_stream::Claim { partition, assignment, hole_to: None })
            .collect();
        drop(partitions);
        self.asking_claims.ask(&self.member, &self.offsets.topics, claims);
    }

    /// Claims the partitions about which Kafka has answered. A claim that fails is that partition's alone, unless the
    /// database is at fault.
    async fn claim_asked(&mut self) -> Outcome<()> {
        while let Some((claim, answer)) = self.asking_claims.try_next() {
            self.asked.remove(&claim.assignment);
            let id = claim.partition.number;
            let claimed = match answer {
                Ok(present) => self.claim(claim, &present).await,
                Err(text) => Err(Failure::Other(anyhow::anyhow!(text))),
            };
            let claimed = match claimed {
                Ok(claimed) => claimed,
                Err(failure @ Failure::Other(_)) => {
                    warn!(partition = id, "partition {id} is not claimed yet: {failure}");
                    self.stream.claim_again(id, self.stream.now().steady_ms + CLAIM_AGAIN_MS);
                    continue;
                }
                Err(failure) if failure.is_lock_timeout() => {
                    warn!(partition = id, "partition {id} is not claimed yet: {failure}");
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let now_ms = self.stream.now().steady_ms;
            let mut partitions = self.stream.lock();
            // Taken back in the meantime: its next owner changes the row.
            if !self.stream.assignments().holds(claim.partition, claim.assignment) {
                continue;
            }
            let Some(entry) = partitions.get_mut(&id) else { continue };
            match claimed {
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

    async fn claim(&mut self, claim: wattline_stream::Claim, present: &Present) -> Outcome<Claim> {
        let Self { config, member, offsets, blockers, session, .. } = self;
        let Some(session) = session else {
            return Err(Failure::Other(anyhow::anyhow!("there is no connection to the database")));
        };
        Claimer { config, member, offsets, blockers }.claim(session, claim, present).await
    }

    async fn work(&mut self, work: Work<'_>, advance: bool) -> Outcome<Report> {
        let (name, ranges) = match work {
            Work::Live(group) => ("live", group.len()),
            Work::BackFill(_) => ("back_fill", 0),
            Work::Advance => ("advance", 0),
        };
        let (Some(session), Some(topic)) = (&mut self.session, &self.topic) else {
            return Ok(Report::default());
        };
        let scene = Scene {
            stream: &self.stream,
            config: &self.config,
            topic,
            offsets: &self.offsets,
            metrics: &self.metrics,
        };
        let began = Instant::now();
        let span =
            info_span!("group", work = name, ranges, computed = Empty, changed = Empty, duration_ms = Empty);
        let outcome = transact(session, scene, work, advance).instrument(span.clone()).await;
        span.record("duration_ms", u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        self.metrics.transaction_seconds.observe(began.elapsed().as_secs_f64());
        let report = outcome.inspect_err(|failure| {
            let again = failure.class() == Class::Again;
            self.metrics.count(name, if again { "again" } else { "failed" });
        })?;
        span.record("computed", report.computed);
        span.record("changed", report.changed);
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
        if let Failure::SinkWentBack(partition) = failure {
            warn!("{failure}: what was read of it is forgotten, and read again from the own row");
            self.stream.lose(&[*partition], 0);
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
