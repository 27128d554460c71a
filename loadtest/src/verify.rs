//! Each reading is in the table exactly once, with its values: the plan is played a second time and compared
//! with what the table says, meter by meter.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use wattline_reading::{Measures, Phase, Timestamp, register};
use wattline_service::postgres::read_rows;
use wattline_service::row;

use crate::expected::Expected;
use crate::fleet::samples;
use crate::plan::{Disturbance, Plan};
use crate::sample::Sample;

/// A frozen server takes a question and never answers. A meter's readings of hours are read in far less.
const ANSWER: Duration = Duration::from_secs(60);

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Rows that are as they must be.
    pub readings: u64,
    /// Contradictions that were put aside with both sides.
    pub conflicts: u64,
    /// Of them, those where the second one published came first.
    pub conflicts_reversed: u64,
    /// Dead letters with payload and reason.
    pub dead_letters: u64,
    /// Dead letters that are there more than once: a broker's redelivery.
    pub dead_letters_repeated: u64,
}

row! {
    /// A stored reading; columns of the table `reading`.
    #[derive(Debug)]
    struct ReadingRow {
        ts: DateTime<Utc>,
        ts_source: String,
        power_w: Option<f64>,
        energy_import_wh: Option<f64>,
        energy_export_wh: Option<f64>,
        voltage_v: Option<f64>,
        current_a: Option<f64>,
        power_factor: Option<f64>,
        frequency_hz: Option<f64>,
        soc_pct: Option<f64>,
        phase_power_w: Option<Vec<Option<f64>>>,
        phase_voltage_v: Option<Vec<Option<f64>>>,
        phase_current_a: Option<Vec<Option<f64>>>,
    }
}

row! {
    /// A contradiction that was put aside: the power of both sides.
    struct ConflictRow {
        ts: DateTime<Utc>,
        kept_w: f64,
        refused_w: f64,
    }
}

row! {
    /// Dead letters of one message.
    struct DeadLetterRow {
        mqtt_topic: String,
        payload: Vec<u8>,
        reason: String,
        letters: i64,
    }
}

// === impl Verified ===

impl Verified {
    /// # Errors
    /// Where other numbers were compared than must have come of the plan.
    pub fn check(&self, expected: &Expected) -> anyhow::Result<()> {
        let same = self.readings == expected.stored
            && self.conflicts == expected.conflict
            && self.dead_letters == expected.dead_letters;
        ensure!(same, "{self:?}, expected {expected:?}");
        Ok(())
    }
}

/// Compares everything that the plan published with the tables.
///
/// # Errors
/// Names the first thing that is missing, too many or different.
pub async fn verify(client: &Client, plan: &Arc<Plan>) -> anyhow::Result<Verified> {
    let reading = client.prepare(include_str!("sql/readings.sql")).await;
    let reading = reading.context("preparing the check of readings")?;
    let conflict = client.prepare(include_str!("sql/conflicts.sql")).await;
    let conflict = conflict.context("preparing the check of conflicts")?;
    let mut verified = Verified::default();
    for meter in 0..plan.meters {
        let id = plan.meter_id(meter);
        let wanted: &[&(dyn ToSql + Sync)] = &[&id];
        let asked =
            async { tokio::try_join!(client.query(&reading, wanted), client.query(&conflict, wanted)) };
        let answered = tokio::time::timeout(ANSWER, asked).await;
        let (rows, conflicts) = answered
            .map_err(anyhow::Error::from)
            .and_then(|answer| Ok(answer?))
            .with_context(|| format!("reading meter {id} back"))?;
        let (rows, conflicts) = (read_rows(&rows)?, read_rows(&conflicts)?);
        verify_meter(plan, meter, rows, conflicts, &mut verified).with_context(|| format!("meter {id}"))?;
    }
    verify_dead_letters(client, plan, &mut verified).await?;
    Ok(verified)
}

fn verify_meter(
    plan: &Plan,
    meter: u32,
    rows: Vec<ReadingRow>,
    conflicts: Vec<ConflictRow>,
    verified: &mut Verified,
) -> anyhow::Result<()> {
    let mut put_aside: HashMap<Timestamp, (f64, f64)> = HashMap::new();
    for row in conflicts {
        let ts = Timestamp::from(row.ts);
        let earlier = put_aside.insert(ts, (row.kept_w, row.refused_w));
        ensure!(earlier.is_none(), "two different conflicts of {ts}");
    }
    let mut rows = rows.into_iter();
    for (index, sample) in (0..).zip(samples(plan, meter)) {
        let row = rows
            .next()
            .with_context(|| format!("reading {index} of {} and all after it are missing", sample.ts))?;
        let ts = Timestamp::from(row.ts);
        ensure!(ts >= sample.ts, "there is a reading of {ts} that was never sent");
        ensure!(ts <= sample.ts, "reading {index} of {} is missing, next is {ts}", sample.ts);
        ensure!(row.ts_source == "device", "ts_source of {ts} is {}", row.ts_source);
        let stored = measures(row)?;
        if plan.disturbance(meter, index) == Disturbance::Conflict {
            let sides =
                put_aside.remove(&ts).with_context(|| format!("the conflict of {ts} was not put aside"))?;
            verified.conflicts_reversed += u64::from(verify_conflict(&sample, &stored, sides)?);
            verified.conflicts += 1;
        } else {
            let sent = sample.measures();
            ensure!(stored == sent, "the reading of {ts} is stored as {stored:?}, sent as {sent:?}");
        }
        verified.readings += 1;
    }
    if let Some(row) = rows.next() {
        bail!("there is a reading of {} that was never sent", Timestamp::from(row.ts));
    }
    if let Some(ts) = put_aside.keys().next() {
        bail!("there is a conflict of {ts}, and nothing contradicted it");
    }
    Ok(())
}

/// Either side may have come first; the other must have been put aside. True where the second one sent did.
fn verify_conflict(
    sample: &Sample,
    stored: &Measures,
    (kept_w, refused_w): (f64, f64),
) -> anyhow::Result<bool> {
    let first = sample.measures();
    let second = sample.contradicted().measures();
    let (reversed, refused) = match stored {
        stored if *stored == first => (false, &second),
        stored if *stored == second => (true, &first),
        other => bail!("the reading of {} is neither side of its conflict: {other:?}", sample.ts),
    };
    ensure!(
        Some(kept_w) == stored.power_w && Some(refused_w) == refused.power_w,
        "the conflict of {} says kept {kept_w} W and refused {refused_w} W, stored is {stored:?}",
        sample.ts
    );
    Ok(reversed)
}

async fn verify_dead_letters(client: &Client, plan: &Plan, verified: &mut Verified) -> anyhow::Result<()> {
    let pattern = format!("wattline/{}-%", plan.prefix);
    let rows = client.query(include_str!("sql/dead_letters.sql"), &[&pattern]).await;
    let rows = rows.and_then(|rows| read_rows::<DeadLetterRow>(&rows)).context("reading dead letters")?;
    let count = rows.len();
    let mut found: HashMap<(String, Vec<u8>), (String, i64)> =
        rows.into_iter().map(|row| ((row.mqtt_topic, row.payload), (row.reason, row.letters))).collect();
    ensure!(found.len() == count, "one message has dead letters with two different reasons");
    for meter in 0..plan.meters {
        for index in 0..plan.readings {
            let Disturbance::Garbage(garbage) = plan.disturbance(meter, index) else { continue };
            let payload = garbage.payload(plan.ts(meter, index), &plan.meter_id(meter), index);
            let text = String::from_utf8_lossy(&payload).into_owned();
            let (reason, count) = found
                .remove(&(plan.topic(meter), payload))
                .with_context(|| format!("there is no dead letter for {text}"))?;
            ensure!(
                reason == garbage.reason().as_str(),
                "the dead letter of {text} says {reason}, not {}",
                garbage.reason().as_str()
            );
            verified.dead_letters += 1;
            verified.dead_letters_repeated += u64::from(count > 1);
        }
    }
    if let Some(((topic, payload), (reason, _))) = found.into_iter().next() {
        bail!(
            "{topic} has a dead letter ({reason}) that no garbage made: {}",
            String::from_utf8_lossy(&payload)
        );
    }
    Ok(())
}

fn measures(row: ReadingRow) -> anyhow::Result<Measures> {
    let phases = [row.phase_power_w, row.phase_voltage_v, row.phase_current_a].map(Option::unwrap_or_default);
    let count = phases[0].len();
    ensure!(
        phases.iter().all(|values| values.len() == count),
        "the arrays of phases have lengths {:?}",
        phases.each_ref().map(Vec::len)
    );
    Ok(Measures {
        power_w: row.power_w,
        energy_import_mwh: row.energy_import_wh.map(register::from_wh),
        energy_export_mwh: row.energy_export_wh.map(register::from_wh),
        voltage_v: row.voltage_v,
        current_a: row.current_a,
        power_factor: row.power_factor,
        frequency_hz: row.frequency_hz,
        soc_pct: row.soc_pct,
        phases: (0..count)
            .map(|index| Phase {
                power_w: phases[0][index],
                voltage_v: phases[1][index],
                current_a: phases[2][index],
            })
            .collect(),
    })
}
