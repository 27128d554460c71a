//! Energy series.

use async_graphql::{Enum, SimpleObject};
use chrono::{DateTime, FixedOffset, Utc};
use chrono_tz::Tz;
use wattline_reading::register;

use super::DATABASE_COST;
use crate::config::LimitSettings;
use crate::energy::{Amount, Bucket, Grid, GridError, Interval, series, total};
use crate::error::{ApiError, Result};
use crate::store::{MeterRow, Store};

/// Width of the buckets.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
pub enum EnergyInterval {
    /// 15 minutes.
    QuarterHour,
    /// An hour of the time zone; where clocks are set back, one hour comes twice, with two offsets.
    Hour,
}

/// Energy of one meter over time.
#[derive(Debug, SimpleObject)]
pub(super) struct EnergySeries {
    /// Width of the buckets.
    interval: EnergyInterval,
    /// Zone of hours and labels.
    time_zone: String,
    /// Start of the first bucket.
    from: DateTime<FixedOffset>,
    /// End of the last bucket.
    to: DateTime<FixedOffset>,
    /// Taken from the grid, over all buckets.
    total_import: Energy,
    /// Fed into the grid, over all buckets.
    total_export: Energy,
    /// In order of time, without holes.
    buckets: Vec<EnergyBucket>,
}

/// One bucket: `start` up to, not including, `end`, labelled with the zone's offset of that time.
#[derive(Debug, SimpleObject)]
struct EnergyBucket {
    /// Its first instant.
    start: DateTime<FixedOffset>,
    /// The first instant after it.
    end: DateTime<FixedOffset>,
    /// Taken from the grid.
    import: Energy,
    /// Fed into the grid.
    export: Energy,
    /// Least power in W.
    power_min_w: Option<f64>,
    /// Mean power in W.
    power_avg_w: Option<f64>,
    /// Greatest power in W.
    power_max_w: Option<f64>,
    /// Readings in it.
    reading_count: i64,
}

/// Energy in one direction.
#[derive(Debug, SimpleObject)]
struct Energy {
    /// In Wh, exact to the thousandth; null: nothing is known; 0: known to be nothing.
    energy_wh: Option<f64>,
    /// Share of the time that is known, 0 to 1.
    coverage: f64,
    /// What the reader should know.
    quality: Vec<EnergyQuality>,
    /// Part of it is no measured register difference.
    estimated: bool,
    /// At least 98 % of the time is known.
    complete: bool,
}

/// What the reader of an energy should know.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
enum EnergyQuality {
    /// Part of it is spread over a time without readings.
    Gap,
    /// A coarse register's step, spread over the time in which it stood still.
    Spread,
    /// Spread over time in proportion to power.
    Shaped,
    /// Computed from power, for want of a register.
    Power,
    /// The register went back a little.
    Dip,
    /// A register value was left out as impossible.
    Glitch,
    /// The register began anew.
    Reset,
    /// The register ran over its last digit.
    Rollover,
    /// The meter was exchanged.
    Swap,
    /// The register jumped by more than can flow.
    Implausible,
    /// Taken over from elsewhere.
    Imported,
    /// Something that this version of the API has no word for.
    Other,
}

const COMPLETE: f64 = 0.98;

/// What a series costs: its buckets, each with its fields.
pub(super) fn cost(
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    interval: EnergyInterval,
    child_complexity: usize,
) -> usize {
    let width_s = match interval {
        EnergyInterval::QuarterHour => 900,
        EnergyInterval::Hour => 3600,
    };
    // Ranges that are refused anyway, with a better word, need not be counted out.
    let points = ((to - from).num_seconds() / width_s).clamp(1, 3000);
    DATABASE_COST + usize::try_from(points).unwrap_or(1).saturating_mul(child_complexity.max(1))
}

/// The buckets of a range, or why it can't be had.
pub(super) fn grid(
    limits: &LimitSettings,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    interval: EnergyInterval,
    time_zone: &str,
) -> Result<Grid> {
    let zone: Tz = time_zone.parse().map_err(|_| {
        ApiError::BadInput(format!(
            "{time_zone:?} is no time zone: write an IANA name, such as Europe/Berlin"
        ))
    })?;
    let interval = match interval {
        EnergyInterval::QuarterHour => Interval::QuarterHour,
        EnergyInterval::Hour => Interval::Hour,
    };
    Grid::new(from, to, interval, zone, limits.energy_points_max).map_err(|error| match error {
        GridError::TooMany { .. } => ApiError::TooMuch(error.to_string()),
        GridError::Empty | GridError::FarAway => ApiError::BadInput(error.to_string()),
    })
}

/// Loads a series.
pub(super) async fn load(
    store: &Store,
    meter: &MeterRow,
    grid: Grid,
    time_zone: String,
) -> Result<EnergySeries> {
    let (from, to) = grid.range().ok_or_else(|| ApiError::internal("an energy series without buckets"))?;
    let quarters = store.quarters(meter, from.to_utc(), to.to_utc()).await?;
    let buckets = series(&grid, &quarters);
    let (import, export) = total(&buckets);
    let width_ms = (to - from).num_milliseconds();
    Ok(EnergySeries {
        interval: match grid.interval {
            Interval::QuarterHour => EnergyInterval::QuarterHour,
            Interval::Hour => EnergyInterval::Hour,
        },
        time_zone,
        from,
        to,
        total_import: Energy::new(&import, width_ms),
        total_export: Energy::new(&export, width_ms),
        buckets: buckets.iter().map(EnergyBucket::from).collect(),
    })
}

// === impl EnergyBucket ===

impl From<&Bucket> for EnergyBucket {
    fn from(bucket: &Bucket) -> Self {
        let width_ms = (bucket.slot.end - bucket.slot.start).num_milliseconds();
        Self {
            start: bucket.slot.start,
            end: bucket.slot.end,
            import: Energy::new(&bucket.import, width_ms),
            export: Energy::new(&bucket.export, width_ms),
            power_min_w: bucket.power_min_w,
            power_avg_w: bucket.power_avg_w,
            power_max_w: bucket.power_max_w,
            reading_count: bucket.readings,
        }
    }
}

// === impl Energy ===

impl Energy {
    fn new(amount: &Amount, width_ms: i64) -> Self {
        let coverage = amount.coverage(width_ms);
        Self {
            energy_wh: amount.energy_mwh.map(register::to_wh),
            coverage,
            quality: amount.quality.iter().map(|flag| EnergyQuality::parse(flag)).collect(),
            estimated: amount.is_estimated(),
            complete: coverage >= COMPLETE,
        }
    }
}

// === impl EnergyQuality ===

impl EnergyQuality {
    fn parse(flag: &str) -> Self {
        match flag {
            "gap" => Self::Gap,
            "spread" => Self::Spread,
            "shaped" => Self::Shaped,
            "power" => Self::Power,
            "dip" => Self::Dip,
            "glitch" => Self::Glitch,
            "reset" => Self::Reset,
            "rollover" => Self::Rollover,
            "swap" => Self::Swap,
            "implausible" => Self::Implausible,
            "imported" => Self::Imported,
            _ => Self::Other,
        }
    }
}
