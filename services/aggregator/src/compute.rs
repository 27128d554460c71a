//! The computing task: claim, recompute, advance, compare; one thing at a time, on one connection.

mod claims;
mod holes;
mod state;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::field::Empty;
use tracing::{Instrument, error, info, info_span};
use uuid::Uuid;
use wattline_service::kafka::ClientEnded;
use wattline_service::postgres::read_column;
use wattline_service::{Backoff, Condition, Context};
use wattline_stream::ask::Topic;
use wattline_stream::offsets::seen;
use wattline_stream::watch::Known;
use wattline_stream::{Asking, Assignment, Blockers, Offsets, consumer};

use crate::config::Config;
use crate::consume::{self, Member};
use crate::failure::{Class, Outcome};
use crate::marks::Taken;
use crate::metrics::Metrics;
use crate::spot_check;
use crate::statements::Statements;
use crate::stream::Stream;
use crate::transact::{Report, Scene, Session, Work, transact};

/// How long nothing is done when there is nothing to do.
const IDLE: Duration = Duration::from_millis(100);
/// How often an empty table `recompute` is looked at; what this process writes to it is looked at sooner.
const TABLE_IDLE: Duration = Duration::from_secs(5);
/// When it is looked at after marks were written to it.
const TABLE_SOON: Duration = Duration::from_secs(1);
/// How often the sink's offsets are looked at while nothing waits for them: a sink that went on alone must show.
const SINK_IDLE: Duration = Duration::from_secs(5);

/// The task's state.
pub(crate) struct Computer {
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
    /// Kafka is being asked whether offsets for which nothing came held anything.
    asking_holes: Option<JoinHandle<()>>,
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
    sink_idle: Instant,
    group: Instant,
    advance: Instant,
    back_fill: Instant,
    spot_check: Instant,
}

impl Computer {
    /// Before its first turn.
    #[must_use]
    pub(crate) fn new(
        config: Config,
        stream: Arc<Stream>,
        member: Arc<Member>,
        metrics: Metrics,
        context: &Context,
    ) -> Self {
        let now = Instant::now();
        Self {
            due: Due {
                identity: now,
                sink: now,
                sink_idle: now,
                group: now,
                advance: now,
                back_fill: now,
                spot_check: now,
            },
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
            asking_holes: None,
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
    pub(crate) async fn run(mut self, stop: &CancellationToken) -> Result<(), ClientEnded> {
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
        self.look_into_holes();
        self.look_at_sink().await?;
        let group = self.take_group();
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

    /// What can be computed now. Marks come due one by one, and a transaction costs the same for one as for many: so they
    /// are gathered, unless there are more than fit into one.
    fn take_group(&mut self) -> Vec<(i32, Taken)> {
        let now = Instant::now();
        if self.due.group > now {
            return Vec::new();
        }
        let group = self.stream.take(self.group_ranges, self.stream.now());
        if group.len() < self.group_ranges {
            self.due.group = now + self.poll();
        }
        group
    }

    /// Without a transaction, and so without a trace in the database while nothing happens.
    async fn look_at_sink(&mut self) -> Outcome<()> {
        let (Some(session), Some(topic)) = (&self.session, &self.topic) else { return Ok(()) };
        let now = Instant::now();
        let due = if self.stream.waits_for_sink() { self.due.sink } else { self.due.sink_idle };
        if due > now {
            return Ok(());
        }
        self.due.sink = now + self.poll();
        self.due.sink_idle = now + SINK_IDLE.max(self.poll());
        let name = (self.config.input.readings_topic.as_str(), &topic.identity);
        let owned = self.stream.owned();
        let offsets = seen(&session.client, &session.rows, consumer::SINK, name, &owned).await?;
        self.stream.see_sink(offsets.into_iter());
        Ok(())
    }

    const fn poll(&self) -> Duration {
        Duration::from_millis(self.config.recompute.poll_ms)
    }

    async fn connect(&mut self) -> Outcome<()> {
        if self.session.as_ref().is_some_and(|session| !session.client.is_closed()) {
            return Ok(());
        }
        self.session = None;
        let client =
            self.config.database.connect(&self.config.kafka.replica_name("wattline-aggregator")).await?;
        client.batch_execute(include_str!("sql/session_frozen.sql")).await?;
        let statements = Statements::prepare(&client).await?;
        let rows = wattline_stream::Statements::prepare(&client).await?;
        let server = client.query_one(include_str!("sql/server.sql"), &[]).await?;
        let backend_pid = read_column(&server, "pid")?;
        let keys = std::collections::HashMap::new();
        self.session = Some(Session { client, backend_pid, rows, statements, keys });
        // The database may have lost what was committed last, and the marks of that are cleared: what the rows say counts.
        self.stream.lose(&self.stream.owned(), 0);
        Ok(())
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
        if let Work::Live(group) = work {
            self.stream.messages_in(group).attach(&span);
        }
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
        if report.spilled > 0 {
            self.due.back_fill = self.due.back_fill.min(Instant::now() + TABLE_SOON);
        }
        Ok(report)
    }

    /// One slice of the table `recompute`, and then a pause of twice its duration: at most a third of the time. Live
    /// marks have gone first.
    async fn back_fill(&mut self) -> Outcome<()> {
        let Some(session) = &self.session else { return Ok(()) };
        let count = session.client.query_one(&session.statements.count, &[]).await?;
        let rows: i64 = read_column(&count, "rows")?;
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
}
