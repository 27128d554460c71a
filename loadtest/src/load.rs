//! A plan on its way: the connections that publish it, and the wait until all of it is stored.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use wattline_reading::topics;

use crate::books::{Door, Outcomes, Store, topic_ends};
use crate::database::Database;
use crate::expected::Expected;
use crate::fleet::{End, Fleet};
use crate::latency::microseconds;
use crate::pace::Pace;
use crate::plan::Plan;
use crate::probe::Probes;
use crate::publish::{Broker, Progress, Publisher};
use crate::target::Target;
use crate::verify::{Verified, verify};

/// Connections that are publishing.
pub struct Load {
    tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
    end: Arc<End>,
    /// What they have done so far.
    pub progress: Arc<Progress>,
    /// From PUBLISH to PUBACK.
    pub puback_us: Arc<Mutex<Histogram<u64>>>,
}

/// What the tables and counters said before a load, to be subtracted after it.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// Records of the readings topic.
    pub readings: Store,
    /// Records of the dead-letter topic.
    pub dead_letters: Store,
    /// The door of the replicas that were asked.
    pub door: Door,
}

/// What came of a load.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct After {
    /// Records of the readings topic.
    pub readings: Outcomes,
    /// Records of the dead-letter topic.
    pub dead_letters: Outcomes,
}

/// How a load is published.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// MQTT connections; the meters are dealt to them.
    pub connections: u32,
    /// Messages per second over all connections; `None` is as fast as possible.
    pub rate: Option<f64>,
}

const ASK_EVERY: Duration = Duration::from_millis(200);
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A frozen server takes a question and never answers.
const ANSWER: Duration = Duration::from_secs(10);

// === impl Load ===

impl Load {
    /// Begins to publish a plan.
    #[must_use]
    pub fn start(plan: &Arc<Plan>, broker: &Broker, options: LoadOptions, probes: &Arc<Probes>) -> Self {
        let mut load = Self {
            tasks: JoinSet::new(),
            stop: CancellationToken::new(),
            end: Arc::new(End::after(plan.readings)),
            progress: Arc::default(),
            puback_us: Arc::new(Mutex::new(microseconds())),
        };
        let connections = options.connections.clamp(1, plan.meters.max(1));
        for connection in 0..connections {
            let mut fleet = Fleet::new(Arc::clone(plan), connection, connections, Arc::clone(&load.end));
            let pace = match options.rate {
                Some(rate) => Pace::per_second(rate / f64::from(connections)),
                None => Pace::unlimited(),
            };
            let client_id = format!("wattline-loadtest-{}-{connection}-{}", plan.prefix, std::process::id());
            let mut publisher = Publisher::new(broker.clone(), client_id, Arc::clone(&load.progress))
                .measured_by(Arc::clone(&load.puback_us), Arc::clone(probes));
            let stop = load.stop.clone();
            load.tasks.spawn(async move {
                publisher.publish(&mut fleet, pace, &stop).await?;
                publisher.close().await;
                Ok(())
            });
        }
        load
    }

    /// Ends before the plan does. Returns the plan that was sent then.
    #[must_use]
    pub fn end_now(&self, plan: &Plan) -> Plan {
        Plan { readings: self.end.now(), ..plan.clone() }
    }

    /// Waits until the broker has acknowledged every message.
    ///
    /// # Errors
    /// Where the broker refuses something.
    pub async fn published(&mut self) -> anyhow::Result<()> {
        while let Some(task) = self.tasks.join_next().await {
            task.context("a publishing task")??;
        }
        let lost = self.progress.without_subscriber.load(Ordering::Relaxed);
        ensure!(
            lost == 0,
            "the broker had no subscriber for {lost} messages: was mqtt-ingest ever connected to it?"
        );
        Ok(())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

// === impl Before ===

impl Before {
    /// Reads everything that [`settled`] will subtract.
    ///
    /// # Errors
    /// Where the database or a replica doesn't answer.
    pub async fn read(client: &Client, ingest_admins: &[String]) -> anyhow::Result<Self> {
        Ok(Self {
            readings: Store::read(client, &topics::READINGS).await?,
            dead_letters: Store::read(client, &topics::DEAD_LETTERS).await?,
            door: Door::ask_all(ingest_admins).await?,
        })
    }
}

/// Waits until the sink has come to the end of both topics and everything expected is there. Both equations are
/// checked at each look. A wait without any progress for `patience` is an error with the state of the books.
///
/// # Errors
/// Where it doesn't come, or an equation doesn't hold.
pub async fn settled(
    target: &Target,
    before: &Before,
    expected: &Expected,
    patience: Duration,
) -> anyhow::Result<After> {
    let mut database = Database::of(target);
    let mut newest = After::default();
    let mut moved_at = Instant::now();
    loop {
        // A server may be away in the middle of a fault.
        match look(target, &mut database, before).await {
            Ok((after, behind)) => {
                if behind == 0 && after.has(expected) {
                    return Ok(after);
                }
                if after.readings != newest.readings || after.dead_letters != newest.dead_letters {
                    newest = after;
                    moved_at = Instant::now();
                }
            }
            Err(error) if Instant::now().saturating_duration_since(moved_at) > patience => return Err(error),
            Err(_) => {}
        }
        if Instant::now().saturating_duration_since(moved_at) > patience {
            bail!(
                "nothing moved for {patience:?}; readings: {}; dead letters: {}; expected: {expected:?}",
                newest.readings,
                newest.dead_letters
            );
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn look(target: &Target, database: &mut Database, before: &Before) -> anyhow::Result<(After, i64)> {
    let reading_ends = topic_ends(&target.kafka, topics::READINGS).await?;
    let dead_letter_ends = topic_ends(&target.kafka, topics::DEAD_LETTERS).await?;
    let client = database.take().await?;
    let stores = async {
        let readings = Store::read(&client, &topics::READINGS).await?;
        Ok::<_, anyhow::Error>((readings, Store::read(&client, &topics::DEAD_LETTERS).await?))
    };
    let stores = tokio::time::timeout(ANSWER, stores).await;
    let (readings, dead_letters) = stores.context("the database does not answer")??;
    database.give_back(client);
    let after = After {
        readings: readings.since(&before.readings),
        dead_letters: dead_letters.since(&before.dead_letters),
    };
    Ok((after, readings.behind(&reading_ends) + dead_letters.behind(&dead_letter_ends)))
}

/// Reads everything back until it is as planned: again while the database is away, and for as long as `patience` where
/// something is missing, which may still be on its way.
///
/// # Errors
/// Names the first thing that is missing, too many or different.
pub async fn verified(target: &Target, plan: &Arc<Plan>, patience: Duration) -> anyhow::Result<Verified> {
    let mut database = Database::of(target);
    let begin = Instant::now();
    loop {
        let error = match read_back(&mut database, plan).await {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        if Instant::now().saturating_duration_since(begin) > patience {
            return Err(error);
        }
        tokio::time::sleep(READ_AGAIN_AFTER).await;
    }
}

async fn read_back(database: &mut Database, plan: &Arc<Plan>) -> anyhow::Result<Verified> {
    let client = database.take().await?;
    let verified = verify(&client, plan).await?;
    verified.check(&plan.expected())?;
    database.give_back(client);
    Ok(verified)
}

// === impl After ===

impl After {
    fn has(&self, expected: &Expected) -> bool {
        let at_least = |count: i64, wanted: u64| u64::try_from(count).is_ok_and(|count| count >= wanted);
        at_least(self.readings.stored + self.readings.merged, expected.stored + expected.merged)
            && at_least(self.readings.duplicate, expected.duplicate)
            && at_least(self.readings.conflict, expected.conflict)
            && at_least(self.dead_letters.present(), expected.dead_letters)
    }

    /// Compares the counts of outcomes with the expectation. Where messages may have been delivered twice
    /// (`redelivered`), only duplicates, conflicts and dead letters may be more.
    ///
    /// # Errors
    /// Says which count differs.
    pub fn check(&self, expected: &Expected, redelivered: bool) -> anyhow::Result<()> {
        let readings = &self.readings;
        for (what, count, wanted, may_be_more) in [
            ("stored", readings.stored, expected.stored, false),
            ("merged", readings.merged, expected.merged, false),
            ("duplicate", readings.duplicate, expected.duplicate, true),
            ("conflict", readings.conflict, expected.conflict, true),
            ("dead-lettered by the sink", readings.dead_lettered, 0, false),
            ("lost", readings.lost, 0, false),
            ("lost dead letters", self.dead_letters.lost, 0, false),
            ("dead letters", self.dead_letters.present(), expected.dead_letters, true),
        ] {
            let wanted = i64::try_from(wanted).context("a count")?;
            let right = count == wanted || redelivered && may_be_more && count > wanted;
            ensure!(right, "{what}: {count}, expected {wanted}; {readings}");
        }
        Ok(())
    }
}
