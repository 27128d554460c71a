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
use wattline_reading::meter_id::spelled;
use wattline_reading::{Timestamp, topics};
use wattline_service::postgres::{read_column, read_rows};
use wattline_service::{DatabaseSettings, row};

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

row! {
    /// A meter, and the time that is compared where the request names none.
    struct MeterRow {
        meter_key: i32,
        meter_id: String,
        first_ts: DateTime<Utc>,
        last_ts: DateTime<Utc>,
    }
}

row! {
    /// How far the sink has come.
    struct OffsetRow {
        partition: i32,
        next_offset: i64,
    }
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
    let rows = match &request.meter {
        Some(meter) => {
            let rows = client
                .query(include_str!("sql/audit/meter.sql"), &[&spelled(meter)])
                .await
                .context("cannot read the meter")?;
            if rows.is_empty() {
                bail!("there is no meter {meter} with a reading");
            }
            rows
        }
        None => {
            let sample = i64::from(request.sample);
            let sql = include_str!("sql/audit/sample.sql");
            client.query(sql, &[&sample]).await.context("cannot choose meters")?
        }
    };
    let part = |row: MeterRow| {
        let from_us = request.from.map_or(row.first_ts.timestamp_micros(), Timestamp::micros);
        let by_default = match (&request.meter, request.from) {
            (None, Some(from)) => from.micros() + DAY_US,
            _ => row.last_ts.timestamp_micros() + 1,
        };
        let to_us = request.to.map_or(by_default, Timestamp::micros);
        Part { meter_key: row.meter_key, meter_id: row.meter_id, from_us, to_us }
    };
    let rows = read_rows(&rows).context("cannot read the meters")?;
    Ok(rows.into_iter().map(part).filter(|part| part.from_us < part.to_us).collect())
}

async fn sink_offsets(client: &Client, topic: &str) -> anyhow::Result<Vec<(i32, i64)>> {
    let rows = client.query(include_str!("sql/audit/sink_offsets.sql"), &[&topic]).await;
    let rows =
        rows.and_then(|rows| read_rows::<OffsetRow>(&rows)).context("cannot read the sink's offsets")?;
    Ok(rows.iter().map(|row| (row.partition, row.next_offset)).collect())
}

/// Waits until the aggregator has passed these offsets and has nothing left to do for these meters; false: too late.
async fn wait_for(
    client: &Client,
    topic: &str,
    goal: &[(i32, i64)],
    suspects: &[(String, Mismatch)],
    deadline: Instant,
) -> anyhow::Result<bool> {
    let (partitions, offsets): (Vec<i32>, Vec<i64>) = goal.iter().copied().unzip();
    let keys: Vec<i32> = suspects.iter().map(|(_, mismatch)| mismatch.meter_key).collect();
    loop {
        let sql = include_str!("sql/audit/is_there.sql");
        let there = client.query_one(sql, &[&topic, &partitions, &offsets, &keys]).await;
        let there = there.and_then(|row| read_column(&row, "is_there"));
        if there.context("cannot read the aggregator's offsets")? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
