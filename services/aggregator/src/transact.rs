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

use tokio_postgres::{Client, IsolationLevel, Transaction};
use wattline_service::postgres::{read_column, read_rows};
use wattline_service::row;
use wattline_stream::ask::Topic;
use wattline_stream::offsets::seen;
use wattline_stream::{Offsets, Partition, Span, consumer};

use crate::back_fill::{self, Slice};
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

row! {
    /// Of `meter_keys.sql`.
    struct KeyRow<'row> {
        meter_id: &'row str,
        meter_key: i32,
    }
}

/// A connection with its statements, and the meters' keys that were read through it.
#[derive(Debug)]
pub(crate) struct Session {
    /// The connection.
    pub(crate) client: Client,
    /// The server's process behind it.
    pub(crate) backend_pid: i32,
    /// What is prepared on it for offset rows.
    pub(crate) rows: wattline_stream::Statements,
    /// What else is prepared on it.
    pub(crate) statements: Statements,
    /// Keys of meters. Only committed ones are seen; a restored database comes with a new connection.
    pub(crate) keys: HashMap<Arc<str>, i32>,
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work<'a> {
    /// These marks.
    Live(&'a [(i32, Taken)]),
    /// A slice of the table `recompute`, behind this row.
    BackFill(i64),
    /// Only the own offsets.
    Advance,
}

/// What a transaction needs besides its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    /// The partitions and their marks.
    pub(crate) stream: &'a Stream,
    /// The configuration.
    pub(crate) config: &'a Config,
    /// The topic that the offsets belong to.
    pub(crate) topic: &'a Topic,
    /// Our rows.
    pub(crate) offsets: &'a Offsets,
    /// The metrics.
    pub(crate) metrics: &'a Metrics,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Own offsets that were advanced, by partition.
    pub(crate) advanced: BTreeMap<i32, i64>,
    /// Buckets recomputed.
    pub(crate) computed: usize,
    /// Buckets that were other than stored.
    pub(crate) changed: usize,
    /// Marks written to the table `recompute`.
    pub(crate) spilled: u64,
    /// The slice of the back-fill.
    pub(crate) slice: Slice,
}

/// Where partitions stand in a snapshot: (own offset, sink's offset).
type Standing = BTreeMap<i32, (i64, Option<i64>)>;

/// Does the work and, if `advance`, moves the own offsets. After an error the caller releases what was taken.
///
/// # Errors
/// Where the database refuses or is away, or a partition isn't ours any more.
pub(crate) async fn transact(
    session: &mut Session,
    scene: Scene<'_>,
    work: Work<'_>,
    advance: bool,
) -> Outcome<Report> {
    let Session { client, rows, statements, keys, .. } = session;
    let level = IsolationLevel::RepeatableRead;
    let transaction = client.build_transaction().isolation_level(level).start().await?;
    let owned = scene.stream.owned();
    let (standing, line_us) = own(&transaction, rows, statements, scene, &owned).await?;
    let mut report = Report::default();
    let done = match work {
        Work::Live(group) => {
            read_keys(&transaction, statements, keys, locked(group, &standing)).await?;
            let jobs: Vec<Job> = locked(group, &standing).filter_map(|taken| job(keys, taken)).collect();
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
    if advance {
        let taken = take_to_spill(scene, &standing);
        read_keys(&transaction, statements, keys, taken.iter()).await?;
        report.spilled = spill(&transaction, statements, keys, &taken).await?;
        report.advanced = move_offsets(&transaction, rows, scene, &standing).await?;
    }
    transaction.commit().await?;
    (report.computed, report.changed) = (done.computed, done.changed);
    let metrics = scene.metrics;
    metrics.buckets_computed.inc_by(done.computed as u64);
    metrics.buckets_changed.inc_by(done.changed as u64);
    metrics.late_final.inc_by(done.late_final as u64);
    metrics.spilled.inc_by(report.spilled);
    metrics.back_filled.inc_by(report.slice.done.len() as u64);
    Ok(report)
}

/// (1) and (2), and the line below which buckets are final.
async fn own(
    transaction: &Transaction<'_>,
    rows: &wattline_stream::Statements,
    statements: &Statements,
    scene: Scene<'_>,
    owned: &[i32],
) -> Outcome<(Standing, i64)> {
    let name = &scene.config.input.readings_topic;
    let identity = &scene.topic.identity;
    let (own, sink, border) = tokio::try_join!(
        scene.offsets.share(transaction, rows, name, owned),
        seen(transaction, rows, consumer::SINK, (name, identity), owned),
        transaction.query_one(&statements.border, &[]),
    )?;
    let sink: BTreeMap<i32, i64> = sink.into_iter().collect();
    let standing: Standing = own.into_iter().map(|(id, next)| (id, (next, sink.get(&id).copied()))).collect();
    check(scene.stream, owned, &standing)?;
    Ok((standing, line_us(micros(read_column(&border, "border")?))))
}

/// Takes over the sink's offsets; an error if the rows are not as we left them.
fn check(stream: &Stream, owned: &[i32], standing: &Standing) -> Outcome<()> {
    let mut partitions = stream.lock();
    let mut lost = Vec::new();
    let mut went_back = None;
    for id in owned {
        // Taken back by the group in the meantime: nothing will come of it.
        let Some(entry) = partitions.get_mut(id) else { continue };
        match standing.get(id) {
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
    let rows: Vec<KeyRow<'_>> = read_rows(&rows)?;
    keys.extend(rows.into_iter().map(|row| (Arc::from(row.meter_id), row.meter_key)));
    Ok(())
}

/// The marks of partitions whose rows are locked: one that was taken back between the choice of marks and the lock of its row
/// is someone else's now.
fn locked<'a>(group: &'a [(i32, Taken)], standing: &'a Standing) -> impl Iterator<Item = &'a Taken> {
    group.iter().filter(|(id, _)| standing.contains_key(id)).map(|(_, taken)| taken)
}

/// None for a meter that isn't in the registry though the sink is past its record: it was refused, nothing is stored.
fn job(keys: &HashMap<Arc<str>, i32>, taken: &Taken) -> Option<Job> {
    Some(Job { meter_key: *keys.get(&taken.meter)?, changed: taken.changed, always: false })
}

fn take_to_spill(scene: Scene<'_>, standing: &Standing) -> Vec<Taken> {
    let all = scene.stream.mark_count() > scene.config.marks.count_max;
    let now = scene.stream.now();
    let mut taken = Vec::new();
    for (id, entry) in scene.stream.lock().iter_mut() {
        if let (State::Owned, Some((_, Some(sink)))) = (&entry.state, standing.get(id)) {
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
    rows: &wattline_stream::Statements,
    scene: Scene<'_>,
    standing: &Standing,
) -> Outcome<BTreeMap<i32, i64>> {
    let (mut advanced, mut spans) = (BTreeMap::new(), Vec::new());
    for (id, entry) in scene.stream.lock().iter() {
        if let (State::Owned, Some((own, _))) = (&entry.state, standing.get(id)) {
            let next = entry.done();
            if next > *own {
                advanced.insert(*id, next);
                spans.push(Span {
                    partition: Partition::readings(*id),
                    first_offset: *own,
                    next_offset: next,
                    mark: None,
                });
            }
        }
    }
    if !advanced.is_empty() {
        scene.offsets.advance(transaction, rows, &spans).await?;
    }
    Ok(advanced)
}

#[cfg(test)]
mod tests {
    use wattline_energy::reach::Changed;

    use super::*;

    /// Seen to fail without the filter: the second partition's meter was computed without its lock.
    #[test]
    fn a_group_has_the_partitions_that_are_locked_only() {
        let taken = |meter: &str| Taken { meter: meter.into(), changed: Changed { first_us: 0, last_us: 1 } };
        let group = [(1, taken("mine")), (2, taken("taken back")), (3, taken("mine, too"))];
        let standing = Standing::from([(1, (10, Some(10))), (3, (5, None))]);
        let meters: Vec<&str> = locked(&group, &standing).map(|taken| &*taken.meter).collect();
        assert_eq!(meters, ["mine", "mine, too"]);
    }
}
