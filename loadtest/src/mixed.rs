//! A mixed load: whether what must come of the messages of all families did.
//!
//! Devices without a clock are stamped on arrival, so which instants are stored is not known before. Known is how many
//! readings each meter has and every value of their power and registers: those are compared, in the order of size.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tokio_postgres::Client;
use wattline_service::postgres::FromRow;
use wattline_service::row;

use crate::dialect::{Dialect, Made};
use crate::expected::Expected;
use crate::fleet::lines;
use crate::load::After;
use crate::plan::Plan;
use crate::verify::Verified;

/// All values of one meter.
#[derive(Debug, Default, PartialEq)]
struct Values {
    power_w: Vec<f64>,
    energy_import_wh: Vec<f64>,
    energy_export_wh: Vec<f64>,
}

row! {
    /// The stored values of one meter, each column in the order of size.
    struct ValuesRow {
        power_w: Vec<f64>,
        energy_import_wh: Vec<f64>,
        energy_export_wh: Vec<f64>,
        readings: i64,
    }
}

/// Compares the counts. A message that came twice without a time of its device is stored twice.
pub(crate) fn check(after: &After, expected: &Expected) -> anyhow::Result<()> {
    let readings = &after.readings;
    let stored = readings.stored + readings.merged;
    ensure!(
        stored >= i64::try_from(expected.stored)? && readings.lost == 0 && readings.dead_lettered == 0,
        "stored and merged: {stored}, expected {}; {readings}",
        expected.stored
    );
    ensure!(after.dead_letters.records == 0, "{} dead letters, expected none", after.dead_letters.records);
    Ok(())
}

/// Compares each meter's values with those that it sent.
pub(crate) async fn verify(client: &Client, plan: &Arc<Plan>) -> anyhow::Result<Verified> {
    let statement = client.prepare(include_str!("sql/values.sql")).await;
    let statement = statement.context("preparing the check of values")?;
    let mut verified = Verified::default();
    for meter in 0..plan.meters {
        let (id, sent) = sent(plan, meter);
        let row = client.query_one(&statement, &[&id]).await.and_then(|row| ValuesRow::from_row(&row));
        let ValuesRow { power_w, energy_import_wh, energy_export_wh, readings } =
            row.with_context(|| format!("reading meter {id} back"))?;
        let stored = Values { power_w, energy_import_wh, energy_export_wh };
        let family = Dialect::of(meter).family;
        ensure!(stored == sent, "the meter {id} ({family}) has {stored:?}, sent were {sent:?}");
        verified.readings += u64::try_from(readings)?;
    }
    Ok(verified)
}

/// The id of a meter and all values that must be stored, in the order of size.
fn sent(plan: &Plan, meter: u32) -> (String, Values) {
    let mut values = Values::default();
    let mut channel = "";
    for Made { channel: own, power_w, energy_import_mwh, energy_export_mwh } in
        lines(plan, meter).filter_map(|line| line.made)
    {
        channel = own;
        values.power_w.extend(power_w);
        values.energy_import_wh.extend(energy_import_mwh.map(wattline_reading::register::to_wh));
        values.energy_export_wh.extend(energy_export_mwh.map(wattline_reading::register::to_wh));
    }
    for column in [&mut values.power_w, &mut values.energy_import_wh, &mut values.energy_export_wh] {
        column.sort_by(f64::total_cmp);
    }
    (Dialect::of(meter).meter_id(&plan.meter_id(meter), channel), values)
}
