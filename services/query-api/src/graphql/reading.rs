//! Raw readings.

use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{Enum, SimpleObject};
use chrono::{DateTime, Utc};
use wattline_reading::{Measures, TsSource, register};

use super::page_rows;
use crate::config::LimitSettings;
use crate::error::{ApiError, Result};
use crate::store::{MeterRow, Page, ReadingRange, Store};

/// Pages of readings.
pub(super) type ReadingConnection = Connection<String, Reading, EmptyFields, EmptyFields>;

/// What one meter measured at one instant. What is unknown is null, never zero.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct Reading {
    /// Event time: the device's own where it has a trustworthy one, else arrival.
    ts: DateTime<Utc>,
    /// Where `ts` comes from.
    ts_source: Source,
    /// Arrival at the server.
    received_at: DateTime<Utc>,
    /// Active power in W: + import (consumption), - export.
    power_w: Option<f64>,
    /// Cumulative import register in Wh.
    energy_import_wh: Option<f64>,
    /// Cumulative export register in Wh.
    energy_export_wh: Option<f64>,
    /// Voltage in V, total or single phase.
    voltage_v: Option<f64>,
    /// Current in A, total or single phase.
    current_a: Option<f64>,
    /// Power factor, -1 to 1.
    power_factor: Option<f64>,
    /// Mains frequency in Hz.
    frequency_hz: Option<f64>,
    /// State of charge of a battery in %, 0 to 100.
    soc_pct: Option<f64>,
    /// L1 to L3; empty where the meter says nothing of phases.
    phases: Vec<Phase>,
    /// When the device's counters began at zero, where it says so.
    register_epoch: Option<DateTime<Utc>>,
}

/// Where a reading's event time comes from.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[graphql(name = "TsSource")]
enum Source {
    /// The device's own clock.
    Device,
    /// Arrival at the server.
    Arrival,
}

/// One phase, in the order L1, L2, L3.
#[derive(Clone, Debug, SimpleObject)]
struct Phase {
    /// Active power in W: + import, - export.
    power_w: Option<f64>,
    /// Voltage in V against neutral.
    voltage_v: Option<f64>,
    /// Current in A.
    current_a: Option<f64>,
}

/// One asked page of readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadingPage {
    range: ReadingRange,
    rows: u16,
    from_end: bool,
}

/// Rows of a page where the client does not say.
pub(super) const PAGE_ROWS: i32 = 100;

/// Loads a page.
pub(super) async fn page(store: &Store, meter: &MeterRow, page: ReadingPage) -> Result<ReadingConnection> {
    let Page { rows, has_previous, has_next } =
        store.readings(meter, page.range, page.rows, page.from_end).await?;
    let mut connection = Connection::new(has_previous, has_next);
    connection.edges.extend(
        rows.into_iter()
            .map(|reading| Edge::new(format!("{:x}", reading.ts.micros()), Reading::from(&reading))),
    );
    Ok(connection)
}

// === impl ReadingPage ===

impl ReadingPage {
    /// Checks the arguments of a page: `first` and `after` go together, or `last` and `before`.
    pub(super) fn parse(
        limits: &LimitSettings,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        (first, after): (Option<i32>, Option<String>),
        (last, before): (Option<i32>, Option<String>),
    ) -> Result<Self> {
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            return Err(ApiError::BadInput("`to` must be after `from`".to_owned()));
        }
        let from_end = last.is_some() || before.is_some();
        if from_end && (first.is_some() || after.is_some()) {
            let text = "a page goes forward with `first` and `after`, or backward with `last` and `before`, not both";
            return Err(ApiError::BadInput(text.to_owned()));
        }
        let (name, asked) = if from_end { ("last", last) } else { ("first", first) };
        let rows = match asked {
            Some(asked) => page_rows(limits, name, asked)?,
            None => limits.page_rows_max.min(PAGE_ROWS.try_into().unwrap_or(u16::MAX)),
        };
        let range = ReadingRange {
            from,
            to,
            after: after.as_deref().map(cursor).transpose()?,
            before: before.as_deref().map(cursor).transpose()?,
        };
        Ok(Self { range, rows, from_end })
    }
}

fn cursor(text: &str) -> Result<DateTime<Utc>> {
    i64::from_str_radix(text, 16)
        .ok()
        .and_then(DateTime::from_timestamp_micros)
        .filter(|time| (1970..10_000).contains(&chrono::Datelike::year(time)))
        .ok_or_else(|| {
            ApiError::BadInput(format!("{text:?} is no cursor: pass one that an edge of this field brought"))
        })
}

// === impl Reading ===

impl From<&wattline_reading::Reading> for Reading {
    fn from(reading: &wattline_reading::Reading) -> Self {
        let Measures {
            power_w,
            energy_import_mwh,
            energy_export_mwh,
            voltage_v,
            current_a,
            power_factor,
            frequency_hz,
            soc_pct,
            phases,
        } = &reading.measures;
        Self {
            ts: reading.ts.to_chrono(),
            ts_source: match reading.ts_source {
                TsSource::Device => Source::Device,
                TsSource::Arrival => Source::Arrival,
            },
            received_at: reading.received_at.to_chrono(),
            power_w: *power_w,
            energy_import_wh: energy_import_mwh.map(register::to_wh),
            energy_export_wh: energy_export_mwh.map(register::to_wh),
            voltage_v: *voltage_v,
            current_a: *current_a,
            power_factor: *power_factor,
            frequency_hz: *frequency_hz,
            soc_pct: *soc_pct,
            phases: phases.iter().copied().map(Phase::from).collect(),
            register_epoch: reading.register_epoch.map(wattline_reading::Timestamp::to_chrono),
        }
    }
}

impl From<wattline_reading::Phase> for Phase {
    fn from(phase: wattline_reading::Phase) -> Self {
        let wattline_reading::Phase { power_w, voltage_v, current_a } = phase;
        Self { power_w, voltage_v, current_a }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(first: Option<i32>, last: Option<i32>, after: Option<&str>) -> Result<ReadingPage> {
        let limits = LimitSettings::default();
        ReadingPage::parse(&limits, None, None, (first, after.map(str::to_owned)), (last, None))
    }

    #[test]
    fn a_page_goes_one_way() {
        assert_eq!(parse(None, None, None).unwrap().rows, 100);
        assert!(parse(None, Some(5), None).unwrap().from_end);
        let error = parse(Some(5), Some(5), None).unwrap_err();
        assert!(error.message().contains("not both"), "{error:?}");
    }

    #[test]
    fn the_size_of_a_page_is_limited_and_said() {
        assert_eq!(parse(Some(1000), None, None).unwrap().rows, 1000);
        for (first, code) in
            [(1001, "LIMIT_EXCEEDED"), (i32::MAX, "LIMIT_EXCEEDED"), (0, "BAD_INPUT"), (-1, "BAD_INPUT")]
        {
            assert_eq!(parse(Some(first), None, None).unwrap_err().code(), code, "{first}");
        }
        let error = parse(Some(1001), None, None).unwrap_err();
        assert!(error.message().contains("at most 1000"), "{error:?}");
    }

    #[test]
    fn a_cursor_is_ours_or_refused() {
        assert!(parse(None, None, Some("66a1b2c3d4e5f")).is_ok());
        for text in ["", "x", "-1", "7fffffffffffffff", "1000000000000000000000"] {
            assert_eq!(parse(None, None, Some(text)).unwrap_err().code(), "BAD_INPUT", "{text}");
        }
    }
}
