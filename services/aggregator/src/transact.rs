//! One group of marks, or one slice of a back-fill, in one REPEATABLE READ transaction:
//!
//! 1. own the partitions: `stream_offset … owner = me FOR SHARE`;
//! 2. read the sink's offsets in this snapshot: only marks below them are computed;
//! 3. raw rows → energy → buckets that are other than stored;
//! 4. clear the marks, advance the own offset.
//!
//! A twin that was frozen in here and thaws later can't overwrite newer buckets: whoever took its partition had to
//! change the row that (1) has locked or will fail to lock, so this transaction was ended, or ends with 40001.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_postgres::{Client, IsolationLevel, Transaction};
use uuid::Uuid;

use crate::CONSUMER;
use crate::back_fill::{self, Slice};
use crate::claim::Topic;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::load::{Job, micros, time};
use crate::marks::Taken;
use crate::metrics::Metrics;
use crate::recompute::{Done, line_us, recompute};
use crate::statements::Statements;
use crate::stream::{State, Stream};

/// Marks written to the table in one transaction.
const SPILL_MAX: usize = 20_000;

/// A connection with its statements, and the meters' keys that were read through it.
#[derive(Debug)]
pub struct Session {
    /// The connection.
    pub client: Client,
    /// What is prepared on it.
    pub statements: Statements,
    /// Keys of meters. Only committed ones are seen; a restored database comes with a new connection.
    pub keys: HashMap<Arc<str>, i32>,
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug)]
pub enum Work<'a> {
    /// These marks.
    Live(&'a [(i32, Taken)]),
    /// A slice of the table `recompute`, behind this row.
    BackFill(i64),
    /// Only the own offsets.
    Advance,
}

/// What a transaction needs besides its connection.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The partitions and their marks.
    pub stream: &'a Stream,
    /// The configuration.
    pub config: &'a Config,
    /// The topic that the offsets belong to.
    pub topic: &'a Topic,
    /// The owner that we are.
    pub me: Uuid,
    /// The metrics.
    pub metrics: &'a Metrics,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Own offsets that were advanced, by partition.
    pub advanced: BTreeMap<i32, i64>,
    /// The slice of the back-fill.
    pub slice: Slice,
}

/// Where partitions stand in a snapshot: (own offset, sink's offset).
type Offsets = BTreeMap<i32, (i64, Option<i64>)>;

/// Does the work and, if `advance`, moves the own offsets. After an error the caller releases what was taken.
///
/// # Errors
/// Where the database refuses or is away, or a partition isn't ours any more.
pub async fn transact(
    session: &mut Session,
    scene: Scene<'_>,
    work: Work<'_>,
    advance: bool,
) -> Outcome<Report> {
    let Session { client, statements, keys } = session;
    let level = IsolationLevel::RepeatableRead;
    let transaction = client.build_transaction().isolation_level(level).start().await?;
    let owned = scene.stream.owned();
    let (offsets, line_us) = own(&transaction, statements, scene, &owned).await?;
    let mut report = Report::default();
    let done = match work {
        Work::Live(group) => {
            read_keys(&transaction, statements, keys, group.iter().map(|(_, taken)| taken)).await?;
            let jobs: Vec<Job> = group.iter().filter_map(|(_, taken)| job(keys, taken)).collect();
            recompute(&transaction, statements, &jobs, line_us).await?
        }
        Work::BackFill(cursor) => {
            let slice_us = i64::from(scene.config.recompute.slice_s) * 1_000_000;
            let partitions = scene.topic.partitions;
            report.slice = back_fill::choose(&transaction, cursor, &owned, partitions, slice_us).await?;
            let done = recompute(&transaction, statements, &report.slice.jobs, line_us).await?;
            back_fill::note_done(&transaction, &report.slice).await?;
            done
        }
        Work::Advance => Done::default(),
    };
    let mut spilled = 0;
    if advance {
        let taken = take_to_spill(scene, &offsets);
        read_keys(&transaction, statements, keys, taken.iter()).await?;
        spilled = spill(&transaction, statements, keys, &taken).await?;
        report.advanced = move_offsets(&transaction, statements, scene, &offsets).await?;
    }
    transaction.commit().await?;
    let metrics = scene.metrics;
    metrics.buckets_computed.inc_by(done.computed as u64);
    metrics.buckets_changed.inc_by(done.changed as u64);
    metrics.late_final.inc_by(done.late_final as u64);
    metrics.spilled.inc_by(spilled);
    metrics.back_filled.inc_by(report.slice.done.len() as u64);
    Ok(report)
}

/// (1) and (2), and the line below which buckets are final.
async fn own(
    transaction: &Transaction<'_>,
    statements: &Statements,
    scene: Scene<'_>,
    owned: &[i32],
) -> Outcome<(Offsets, i64)> {
    let name = &scene.config.input.readings_topic;
    let identity = &scene.topic.identity;
    let own_parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&CONSUMER, name, &owned, &scene.me];
    let sink_parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [name, &owned, &identity.cluster_id, &identity.topic_id];
    let (own, sink, border) = tokio::try_join!(
        transaction.query(&statements.own, &own_parameters),
        transaction.query(&statements.sink, &sink_parameters),
        transaction.query_one(&statements.line, &[]),
    )?;
    let sink: BTreeMap<i32, i64> = sink.iter().map(|row| (row.get(0), row.get(1))).collect();
    let offsets: Offsets =
        own.iter().map(|row| (row.get(0), (row.get(1), sink.get(&row.get(0)).copied()))).collect();
    check(scene.stream, owned, &offsets)?;
    let border: DateTime<Utc> = border.get(0);
    Ok((offsets, line_us(micros(border))))
}

/// Takes over the sink's offsets; an error if the rows are not as we left them.
fn check(stream: &Stream, owned: &[i32], offsets: &Offsets) -> Outcome<()> {
    let mut partitions = stream.lock();
    let mut lost = Vec::new();
    let mut went_back = None;
    for id in owned {
        // Taken back by the group in the meantime: nothing will come of it.
        let Some(entry) = partitions.get_mut(id) else { continue };
        match offsets.get(id) {
            // Another owner, or a restored database: then what we cleared may not be in it.
            Some((own, _)) if *own != entry.own_offset => lost.push(*id),
            None => lost.push(*id),
            Some((_, sink)) => {
                let sink = sink.unwrap_or(0);
                if sink < entry.sink_offset {
                    went_back = Some(*id);
                }
                entry.sink_offset = sink;
            }
        }
    }
    match (lost.is_empty(), went_back) {
        (false, _) => Err(Failure::NotOwner(lost)),
        (true, Some(id)) => Err(Failure::SinkWentBack(id)),
        (true, None) => Ok(()),
    }
}

async fn read_keys<'a>(
    transaction: &Transaction<'_>,
    statements: &Statements,
    keys: &mut HashMap<Arc<str>, i32>,
    taken: impl Iterator<Item = &'a Taken>,
) -> Outcome<()> {
    let unknown: Vec<&str> =
        taken.filter(|taken| !keys.contains_key(&taken.meter)).map(|taken| &*taken.meter).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let rows = transaction.query(&statements.keys, &[&unknown]).await?;
    keys.extend(rows.iter().map(|row| (Arc::from(row.get::<_, &str>(0)), row.get(1))));
    Ok(())
}

/// None for a meter that isn't in the registry though the sink is past its record: it was refused, nothing is stored.
fn job(keys: &HashMap<Arc<str>, i32>, taken: &Taken) -> Option<Job> {
    Some(Job { meter_key: *keys.get(&taken.meter)?, changed: taken.changed, always: false })
}

fn take_to_spill(scene: Scene<'_>, offsets: &Offsets) -> Vec<Taken> {
    let all = scene.stream.mark_count() > scene.config.marks.count_max;
    let now = scene.stream.now();
    let mut taken = Vec::new();
    for (id, entry) in scene.stream.lock().iter_mut() {
        if let (State::Owned, Some((_, Some(sink)))) = (&entry.state, offsets.get(id)) {
            let limit = SPILL_MAX - taken.len().min(SPILL_MAX);
            if limit > 0 {
                taken.extend(entry.marks.take_to_spill(*sink, limit, all, now));
            }
        }
    }
    taken
}

async fn spill(
    transaction: &Transaction<'_>,
    statements: &Statements,
    keys: &HashMap<Arc<str>, i32>,
    taken: &[Taken],
) -> Outcome<u64> {
    let jobs: Vec<Job> = taken.iter().filter_map(|taken| job(keys, taken)).collect();
    if jobs.is_empty() {
        return Ok(0);
    }
    let keys: Vec<i32> = jobs.iter().map(|job| job.meter_key).collect();
    let from: Vec<_> = jobs.iter().map(|job| time(job.changed.first_us)).collect();
    let to: Vec<_> = jobs.iter().map(|job| time(job.changed.last_us)).collect();
    Ok(transaction.execute(&statements.spill, &[&keys, &from, &to]).await?)
}

/// Each own offset goes to the first record that is not done when this transaction is.
async fn move_offsets(
    transaction: &Transaction<'_>,
    statements: &Statements,
    scene: Scene<'_>,
    offsets: &Offsets,
) -> Outcome<BTreeMap<i32, i64>> {
    let mut advanced = BTreeMap::new();
    for (id, entry) in scene.stream.lock().iter() {
        if let (State::Owned, Some((own, _))) = (&entry.state, offsets.get(id)) {
            let next = entry.marks.first_offset().unwrap_or(entry.position);
            if next > *own {
                advanced.insert(*id, next);
            }
        }
    }
    if !advanced.is_empty() {
        let (ids, next): (Vec<i32>, Vec<i64>) = advanced.iter().unzip();
        let name = &scene.config.input.readings_topic;
        transaction.execute(&statements.advance, &[&CONSUMER, name, &ids, &next]).await?;
    }
    Ok(advanced)
}
