//! The continuous audit: one day of one of our meters, now and then.

use rand::RngExt;
use rand::seq::IteratorRandom;
use wattline_energy::BucketRange;
use wattline_reading::partition;
use wattline_service::postgres::read_column;
use wattline_stream::ask::Topic;
use wattline_stream::consumer;
use wattline_stream::offsets::seen;

use crate::audit::{Mismatch, compare, snapshot};
use crate::config::Config;
use crate::failure::Outcome;
use crate::load::{micros, time};
use crate::stream::{State, Stream};
use crate::transact::Session;

const DAY_US: i64 = 86_400_000_000;
/// How far back a day is chosen.
const DAYS: i64 = 90;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Buckets compared.
    pub(crate) compared: usize,
    /// Of these, not equal.
    pub(crate) mismatches: Vec<Mismatch>,
}

/// Compares a day of a random meter, if nothing of that meter is waiting: neither a mark below the sink's offset in this
/// snapshot nor a row of the table `recompute`. The caller computes nothing meanwhile, so then all must be equal.
///
/// # Errors
/// Where the database refuses or is away.
pub(crate) async fn spot_check(
    session: &mut Session,
    stream: &Stream,
    config: &Config,
    topic: &Topic,
) -> Outcome<Found> {
    let Session { client, rows, statements, keys, .. } = session;
    let Some((meter, meter_key)) = keys.iter().choose(&mut rand::rng()) else { return Ok(Found::default()) };
    let partition = partition::of_key(meter.as_bytes(), topic.partitions);
    let transaction = snapshot(client).await?;
    let name = (config.input.readings_topic.as_str(), &topic.identity);
    let sink = seen(&transaction, rows, consumer::SINK, name, &[partition]).await?;
    let Some((_, sink)) = sink.first().copied() else { return Ok(Found::default()) };
    let settled = stream.lock().get(&partition).is_some_and(|entry| {
        entry.state == State::Owned && entry.position >= sink && !entry.marks.waits(meter, sink)
    });
    if !settled {
        return Ok(Found::default());
    }
    let waits = transaction.query_one(include_str!("sql/recompute_waits.sql"), &[meter_key]).await?;
    if read_column(&waits, "waits")? {
        return Ok(Found::default());
    }
    let now_us = stream.now().wall_us;
    let since = time(now_us - rand::rng().random_range(0..DAYS) * DAY_US);
    let day = transaction.query_opt(include_str!("sql/audit_day.sql"), &[meter_key, &since]).await?;
    let Some(day) = day else { return Ok(Found::default()) };
    let from_us = micros(read_column(&day, "bucket")?);
    let range = BucketRange::quarter_hours(from_us, from_us + DAY_US);
    let (compared, mismatches) = compare(&transaction, statements, *meter_key, &range).await?;
    Ok(Found { compared, mismatches })
}
