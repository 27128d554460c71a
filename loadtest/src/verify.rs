//! Each reading is in the table exactly once, with its values: the plan is played a second time and compared
//! with what the table says, meter by meter.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};
use wattline_reading::{Measures, Phase, Timestamp, register};

use crate::fleet::samples;
use crate::plan::{Disturbance, Plan};
use crate::sample::Sample;

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

const READING: &str =
    "SELECT reading.ts, ts_source::text, power_w, energy_import_wh, energy_export_wh, voltage_v, current_a,
    power_factor, frequency_hz, phase_power_w, phase_voltage_v, phase_current_a, soc_pct
    FROM reading JOIN meter USING (meter_key) WHERE meter_id = $1 ORDER BY reading.ts";
const CONFLICT: &str = "SELECT DISTINCT ts, (kept ->> 'power_w')::float8, (refused ->> 'power_w')::float8
    FROM reading_conflict JOIN meter USING (meter_key) WHERE meter_id = $1";
const DEAD_LETTER: &str =
    "SELECT mqtt_topic, payload, reason, count(*) FROM dead_letter WHERE mqtt_topic LIKE $1 GROUP BY 1, 2, 3";

/// Compares everything that the plan published with the tables.
///
/// # Errors
/// Names the first thing that is missing, too many or different.
pub async fn verify(client: &Client, plan: &Arc<Plan>) -> anyhow::Result<Verified> {
    let reading = client.prepare(READING).await.context("preparing the check of readings")?;
    let conflict = client.prepare(CONFLICT).await.context("preparing the check of conflicts")?;
    let mut verified = Verified::default();
    for meter in 0..plan.meters {
        let id = plan.meter_id(meter);
        let wanted: &[&(dyn ToSql + Sync)] = &[&id];
        let (rows, conflicts) =
            tokio::try_join!(client.query(&reading, wanted), client.query(&conflict, wanted))
                .with_context(|| format!("reading meter {id} back"))?;
        verify_meter(plan, meter, &rows, &conflicts, &mut verified).with_context(|| format!("meter {id}"))?;
    }
    verify_dead_letters(client, plan, &mut verified).await?;
    Ok(verified)
}

fn verify_meter(
    plan: &Plan,
    meter: u32,
    rows: &[Row],
    conflicts: &[Row],
    verified: &mut Verified,
) -> anyhow::Result<()> {
    let mut put_aside: HashMap<Timestamp, (f64, f64)> = HashMap::new();
    for row in conflicts {
        let earlier = put_aside.insert(timestamp(row, 0), (row.get(1), row.get(2)));
        ensure!(earlier.is_none(), "two different conflicts of {}", timestamp(row, 0));
    }
    let mut rows = rows.iter();
    for (index, sample) in (0..).zip(samples(plan, meter)) {
        let row = rows
            .next()
            .with_context(|| format!("reading {index} of {} and all after it are missing", sample.ts))?;
        let ts = timestamp(row, 0);
        ensure!(ts >= sample.ts, "there is a reading of {ts} that was never sent");
        ensure!(ts <= sample.ts, "reading {index} of {} is missing, next is {ts}", sample.ts);
        let source: &str = row.get(1);
        ensure!(source == "device", "ts_source of {ts} is {source}");
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
        bail!("there is a reading of {} that was never sent", timestamp(row, 0));
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
    let rows = client.query(DEAD_LETTER, &[&pattern]).await.context("reading dead letters")?;
    let mut found: HashMap<(String, Vec<u8>), (String, i64)> =
        rows.iter().map(|row| ((row.get(0), row.get(1)), (row.get(2), row.get(3)))).collect();
    ensure!(found.len() == rows.len(), "one message has dead letters with two different reasons");
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

fn timestamp(row: &Row, column: usize) -> Timestamp {
    row.get::<_, chrono::DateTime<chrono::Utc>>(column).into()
}

fn measures(row: &Row) -> anyhow::Result<Measures> {
    let phases: [Option<Vec<Option<f64>>>; 3] = [row.get(9), row.get(10), row.get(11)];
    let phases = phases.map(Option::unwrap_or_default);
    let count = phases[0].len();
    ensure!(
        phases.iter().all(|values| values.len() == count),
        "the arrays of phases have lengths {:?}",
        phases.each_ref().map(Vec::len)
    );
    let whole_mwh = |column| row.get::<_, Option<f64>>(column).map(register::from_wh);
    Ok(Measures {
        power_w: row.get(2),
        energy_import_mwh: whole_mwh(3),
        energy_export_mwh: whole_mwh(4),
        voltage_v: row.get(5),
        current_a: row.get(6),
        power_factor: row.get(7),
        frequency_hz: row.get(8),
        soc_pct: row.get(12),
        phases: (0..count)
            .map(|index| Phase {
                power_w: phases[0][index],
                voltage_v: phases[1][index],
                current_a: phases[2][index],
            })
            .collect(),
    })
}
