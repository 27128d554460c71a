//! Are stored buckets what their raw rows give? Recomputes given or random (meter, day) and compares.
//!
//! What differs at the first look may only be on its way: records that the sink has stored and the aggregator has not
//! worked off yet. So it is looked at again when the aggregator has passed the sink's offsets of the first look: a
//! bucket whose rows give the same as before and that still differs is a mismatch.

use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_postgres::Client;
use wattline_aggregator::audit::{Mismatch, audit as compare};
use wattline_energy::QUARTER_HOUR_US;
use wattline_reading::{Timestamp, topics};
use wattline_service::DatabaseSettings;

const DAY_US: i64 = 86_400_000_000;
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What to compare.
#[derive(Clone, Debug)]
pub struct Request {
    /// One meter; else random ones.
    pub meter: Option<String>,
    /// From this time on; else from the meter's first reading on, or a random day.
    pub from: Option<Timestamp>,
    /// Up to this time; else to the meter's last reading, or a day long.
    pub to: Option<Timestamp>,
    /// How many random meters.
    pub sample: u32,
    /// The readings topic.
    pub topic: String,
    /// How long the aggregator may take to get where the sink was.
    pub wait: Duration,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Meters looked at.
    pub meters: usize,
    /// Buckets compared.
    pub buckets: usize,
    /// Those that are not what their rows give: the meter's id, and the bucket.
    pub mismatches: Vec<(String, Mismatch)>,
    /// The aggregator did not get there in time: some of them may be only on their way.
    pub too_late: bool,
}

/// One meter's time to compare.
#[derive(Clone, Debug)]
struct Part {
    meter_key: i32,
    meter_id: String,
    from_us: i64,
    to_us: i64,
}

// === impl Request ===

impl Default for Request {
    fn default() -> Self {
        Self {
            meter: None,
            from: None,
            to: None,
            sample: 10,
            topic: topics::READINGS.name.to_owned(),
            wait: Duration::from_secs(180),
        }
    }
}

/// Compares.
///
/// # Errors
/// Where the database can't be reached or refuses, or there is no such meter.
pub async fn audit(settings: &DatabaseSettings, request: &Request) -> anyhow::Result<Report> {
    let mut client = settings.connect("wattlinectl audit").await?;
    let parts = choose(&client, request).await?;
    let mut report = Report { meters: parts.len(), ..Report::default() };
    let goal = sink_offsets(&client, &request.topic).await?;
    let mut suspects = Vec::new();
    for part in parts {
        let (buckets, mismatches) = compare(&mut client, part.meter_key, part.from_us, part.to_us).await?;
        report.buckets += buckets;
        suspects.extend(mismatches.into_iter().map(|mismatch| (part.meter_id.clone(), mismatch)));
    }
    let deadline = Instant::now() + request.wait;
    let mut goal = goal;
    while !suspects.is_empty() {
        if !wait_for(&client, &request.topic, &goal, &suspects, deadline).await? {
            report.too_late = true;
            break;
        }
        goal = sink_offsets(&client, &request.topic).await?;
        suspects = look_again(&mut client, suspects, &mut report.mismatches).await?;
    }
    report.mismatches.extend(suspects);
    Ok(report)
}

/// Moves those that are certain to `certain`; gives those whose rows have changed since.
async fn look_again(
    client: &mut Client,
    suspects: Vec<(String, Mismatch)>,
    certain: &mut Vec<(String, Mismatch)>,
) -> anyhow::Result<Vec<(String, Mismatch)>> {
    let mut open = Vec::new();
    for (meter_id, old) in suspects {
        let (from_us, to_us) = (old.start_us, old.start_us + QUARTER_HOUR_US);
        let (_, mismatches) = compare(client, old.meter_key, from_us, to_us).await?;
        for new in mismatches {
            let found = if new.computed == old.computed { &mut *certain } else { &mut open };
            found.push((meter_id.clone(), new));
        }
    }
    Ok(open)
}

async fn choose(client: &Client, request: &Request) -> anyhow::Result<Vec<Part>> {
    const ONE: &str = "SELECT m.meter_key, m.meter_id, a.ts, z.ts FROM meter m \
         CROSS JOIN LATERAL (SELECT ts FROM reading r WHERE r.meter_key = m.meter_key ORDER BY ts LIMIT 1) a \
         CROSS JOIN LATERAL (SELECT ts FROM reading r WHERE r.meter_key = m.meter_key ORDER BY ts DESC LIMIT 1) z \
         WHERE m.meter_id = $1";
    const SAMPLE: &str = "SELECT m.meter_key, m.meter_id, d.ts, d.ts + interval '1 day' FROM \
         (SELECT * FROM meter ORDER BY random() LIMIT $1) m \
         CROSS JOIN LATERAL (SELECT a.ts + random() * (z.ts - a.ts) AS ts FROM \
           (SELECT ts FROM reading r WHERE r.meter_key = m.meter_key ORDER BY ts LIMIT 1) a, \
           (SELECT ts FROM reading r WHERE r.meter_key = m.meter_key ORDER BY ts DESC LIMIT 1) z) d";
    let rows = match &request.meter {
        Some(meter) => {
            let rows = client.query(ONE, &[meter]).await.context("cannot read the meter")?;
            if rows.is_empty() {
                bail!("there is no meter {meter} with a reading");
            }
            rows
        }
        None => {
            let sample = i64::from(request.sample);
            client.query(SAMPLE, &[&sample]).await.context("cannot choose meters")?
        }
    };
    let part = |row: &tokio_postgres::Row| {
        let (first, last): (DateTime<Utc>, DateTime<Utc>) = (row.get(2), row.get(3));
        let from_us = request.from.map_or(first.timestamp_micros(), Timestamp::micros);
        let by_default = match (&request.meter, request.from) {
            (None, Some(from)) => from.micros() + DAY_US,
            _ => last.timestamp_micros() + 1,
        };
        let to_us = request.to.map_or(by_default, Timestamp::micros);
        Part { meter_key: row.get(0), meter_id: row.get(1), from_us, to_us }
    };
    Ok(rows.iter().map(part).filter(|part| part.from_us < part.to_us).collect())
}

async fn sink_offsets(client: &Client, topic: &str) -> anyhow::Result<Vec<(i32, i64)>> {
    let query =
        "SELECT partition, next_offset FROM stream_offset WHERE consumer = 'timescale-sink' AND topic = $1";
    let rows = client.query(query, &[&topic]).await.context("cannot read the sink's offsets")?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Waits until the aggregator has passed these offsets and has nothing left to do for these meters; false: too late.
async fn wait_for(
    client: &Client,
    topic: &str,
    goal: &[(i32, i64)],
    suspects: &[(String, Mismatch)],
    deadline: Instant,
) -> anyhow::Result<bool> {
    const THERE: &str = "SELECT NOT EXISTS (SELECT FROM recompute WHERE meter_key = ANY($4)) AND NOT EXISTS ( \
         SELECT FROM unnest($2::int[], $3::bigint[]) AS g(partition, next_offset) LEFT JOIN stream_offset a \
         ON a.consumer = 'aggregator' AND a.topic = $1 AND a.partition = g.partition \
         WHERE coalesce(a.next_offset, 0) < g.next_offset)";
    let (partitions, offsets): (Vec<i32>, Vec<i64>) = goal.iter().copied().unzip();
    let keys: Vec<i32> = suspects.iter().map(|(_, mismatch)| mismatch.meter_key).collect();
    loop {
        let there = client.query_one(THERE, &[&topic, &partitions, &offsets, &keys]).await;
        if there.context("cannot read the aggregator's offsets")?.get(0) {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
