//! Energy series.

use async_graphql::{Enum, SimpleObject};
use chrono::{DateTime, FixedOffset, Utc};
use chrono_tz::Tz;
use wattline_energy::Flag;
use wattline_energy::series::{GridError, Interval, Point, PowerSum, Sum, ZoneGrid, points, total};
use wattline_reading::register;

use super::DATABASE_COST;
use crate::config::LimitSettings;
use crate::error::{ApiError, Result};
use crate::store::{MeterRow, Store};

/// Width of the buckets.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[graphql(remote = "Interval")]
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
    /// Share of the elapsed time that is known, 0 to 1; null where nothing has elapsed.
    coverage: Option<f64>,
    /// The time is not over for the meter: more energy may come.
    running: bool,
    /// How much of the time has elapsed, in s: up to the meter's newest reading, or up to now where it is silent.
    elapsed_seconds: i64,
    /// How much of that is known, in s.
    known_seconds: i64,
    /// What the reader should know.
    quality: Vec<EnergyQuality>,
    /// Part of it is no measured register difference.
    estimated: bool,
    /// At least 98 % of the elapsed time is known.
    complete: bool,
}

/// What the reader of an energy should know.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[graphql(remote = "Flag")]
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
/// What is asked of the database for a series.
const QUESTIONS: usize = 2;

/// What a series costs: its buckets, each with its fields, and two questions: for them and for the newest reading.
pub(super) fn cost(
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    interval: EnergyInterval,
    child_complexity: usize,
) -> usize {
    let width_s = Interval::from(interval).width_us() / 1_000_000;
    // Ranges that are refused anyway, with a better word, need not be counted out.
    let points = ((to - from).num_seconds() / width_s).clamp(1, 3000);
    let fields = usize::try_from(points).unwrap_or(1).saturating_mul(child_complexity.max(1));
    fields.saturating_add(QUESTIONS * DATABASE_COST)
}

/// The buckets of a range, or why it can't be had.
pub(super) fn grid(
    limits: &LimitSettings,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    interval: EnergyInterval,
    time_zone: &str,
) -> Result<ZoneGrid> {
    let zone: Tz = time_zone.parse().map_err(|_| {
        ApiError::BadInput(format!(
            "{time_zone:?} is no time zone: write an IANA name, such as Europe/Berlin"
        ))
    })?;
    let refused = |error: GridError| match error {
        GridError::TooMany { .. } => ApiError::TooMuch(error.to_string()),
        GridError::Empty | GridError::FarAway => ApiError::BadInput(error.to_string()),
    };
    ZoneGrid::new(from, to, interval.into(), zone, limits.energy_points_max).map_err(refused)
}

/// Loads a series, as it is at the instant `now`.
pub(super) async fn load(
    store: &Store,
    meter: &MeterRow,
    grid: ZoneGrid,
    time_zone: String,
    now: DateTime<Utc>,
) -> Result<EnergySeries> {
    let (from, to) = grid.range().ok_or_else(|| ApiError::internal("an energy series without buckets"))?;
    let end = meter.end(store.newest_ts(meter).await?, now);
    let quarters = store.quarters(meter, from.to_utc(), to.to_utc()).await?;
    let points = points(&grid, &quarters, end);
    let (import, export) = total(&points);
    let running = to > end;
    Ok(EnergySeries {
        interval: grid.interval.into(),
        time_zone,
        from,
        to,
        total_import: Energy::new(&import, running),
        total_export: Energy::new(&export, running),
        buckets: points.iter().map(EnergyBucket::from).collect(),
    })
}

// === impl EnergyBucket ===

impl From<&Point> for EnergyBucket {
    fn from(point: &Point) -> Self {
        let power = point.power.as_ref();
        Self {
            start: point.slot.start,
            end: point.slot.end,
            import: Energy::new(&point.import, point.running),
            export: Energy::new(&point.export, point.running),
            // mW to W is the same step as mWh to Wh.
            power_min_w: power.map(|power| register::to_wh(power.min_mw)),
            power_avg_w: power.map(PowerSum::avg_w),
            power_max_w: power.map(|power| register::to_wh(power.max_mw)),
            reading_count: point.reading_count,
        }
    }
}

// === impl Energy ===

impl Energy {
    fn new(sum: &Sum, running: bool) -> Self {
        let coverage = sum.coverage();
        let mut flags: Vec<Flag> = sum.quality.flags().collect();
        flags.sort_by_key(|flag| flag.as_str());
        Self {
            energy_wh: sum.mwh.map(register::to_wh),
            coverage,
            running,
            elapsed_seconds: sum.elapsed_ms / 1000,
            known_seconds: sum.known_ms / 1000,
            quality: flags.into_iter().map(EnergyQuality::from).collect(),
            estimated: sum.quality.is_estimated(),
            complete: coverage.is_none_or(|coverage| coverage >= COMPLETE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: &str, to: &str, interval: EnergyInterval, zone: &str) -> Result<ZoneGrid> {
        let time = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        grid(&LimitSettings::default(), (time(from), time(to)), interval, zone)
    }

    fn sum(known_ms: i64, flags: &[Flag]) -> Sum {
        Sum { mwh: Some(1_500), elapsed_ms: 900_000, known_ms, quality: flags.iter().copied().collect() }
    }

    #[test]
    fn every_flag_has_its_word_in_the_api() {
        for &flag in Flag::ALL {
            assert_eq!(Flag::from(EnergyQuality::from(flag)), flag);
        }
    }

    #[test]
    fn flags_come_in_the_order_of_their_words() {
        let energy = Energy::new(&sum(0, &[Flag::Gap, Flag::Spread, Flag::Dip, Flag::Other]), false);
        let expected = [EnergyQuality::Dip, EnergyQuality::Gap, EnergyQuality::Other, EnergyQuality::Spread];
        assert_eq!(energy.quality, expected);
        assert!(energy.estimated);
        assert_eq!(energy.energy_wh, Some(1.5));
    }

    #[test]
    fn complete_begins_at_98_percent() {
        for (known_ms, complete) in [(900_000, true), (882_000, true), (881_999, false), (0, false)] {
            assert_eq!(Energy::new(&sum(known_ms, &[]), false).complete, complete, "{known_ms}");
        }
        assert_eq!(Energy::new(&sum(900_001, &[]), false).coverage, Some(1.0), "never above 1");
    }

    #[test]
    fn of_what_is_still_to_come_nothing_is_missing() {
        let future = Energy::new(&Sum::default(), true);
        assert_eq!((future.coverage, future.complete, future.elapsed_seconds), (None, true, 0));
    }

    #[test]
    fn a_range_that_cannot_be_had_says_why() {
        let day = ("2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z");
        assert_eq!(asked(day.0, day.1, EnergyInterval::Hour, "Europe/Berlin").unwrap().slots.len(), 24);
        for (from, to, zone, code, word) in [
            (day.0, day.1, "Berlin", "BAD_INPUT", "Europe/Berlin"),
            (day.1, day.0, "UTC", "BAD_INPUT", "`to` must be after `from`"),
            ("1999-01-01T00:00:00Z", day.1, "UTC", "BAD_INPUT", "2000 and 2200"),
            ("2026-03-01T00:00:00Z", day.1, "UTC", "LIMIT_EXCEEDED", "interval HOUR fits"),
        ] {
            let error = asked(from, to, EnergyInterval::QuarterHour, zone).unwrap_err();
            assert_eq!(error.code(), code, "{error:?}");
            assert!(error.message().contains(word), "{error:?}");
        }
    }

    #[test]
    fn a_series_costs_its_points() {
        let from = DateTime::from_timestamp(1_795_168_800, 0).unwrap();
        let day = from + chrono::TimeDelta::days(1);
        assert_eq!(cost(from, day, EnergyInterval::Hour, 5), 2 * DATABASE_COST + 24 * 5);
        assert_eq!(cost(from, day, EnergyInterval::QuarterHour, 5), 2 * DATABASE_COST + 96 * 5);
        assert_eq!(cost(from, from, EnergyInterval::Hour, 0), 2 * DATABASE_COST + 1, "never for nothing");
        let century = from + chrono::TimeDelta::days(36_500);
        assert_eq!(
            cost(from, century, EnergyInterval::Hour, 1),
            2 * DATABASE_COST + 3000,
            "it is refused anyway"
        );
    }
}
