//! What is shown of now. Who asks gives the instant: the rules, and all that is stored, know none.

use super::Meter;
use super::interval::Span;
use super::point::Point;
use super::round::half_up;
use super::settings::{MW_US_PER_MWH, Settings};
use super::track::Track;
use crate::Register;
use crate::quality::Flag;

const SECOND_US: i64 = 1_000_000;
/// So many distances are looked at; with fewer than the second nothing is usual yet.
const DISTANCES_MAX: usize = 32;
const DISTANCES_MIN: usize = 4;
/// What nothing is known of comes every quarter-hour.
const EXPECTED_US: i64 = 900 * SECOND_US;
/// One telegram may come as several rows within seconds.
const DISTANCE_MIN_US: i64 = 10 * SECOND_US;
/// Nobody is silent for less.
const SILENT_MIN_US: i64 = 120 * SECOND_US;

/// What a meter is like at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The usual distance of its readings.
    pub expected_us: i64,
    /// No reading for longer than usual.
    pub is_silent: bool,
    /// How far time has elapsed for it.
    pub end_us: i64,
    /// The power that its registers tell, where it sends none, import positive.
    pub derived_mw: Option<i64>,
}

/// The median of a meter's last distances; of two the upper one. `newest_first_us` are the instants of its rows.
#[must_use]
pub fn usual_distance_us(newest_first_us: impl Iterator<Item = i64>) -> i64 {
    let mut distances = Vec::with_capacity(DISTANCES_MAX);
    let mut from_us = None;
    for ts_us in newest_first_us {
        let Some(later_us) = from_us else {
            from_us = Some(ts_us);
            continue;
        };
        if later_us - ts_us >= DISTANCE_MIN_US {
            distances.push(later_us - ts_us);
            from_us = Some(ts_us);
        }
        if distances.len() == DISTANCES_MAX {
            break;
        }
    }
    if distances.len() < DISTANCES_MIN {
        return EXPECTED_US;
    }
    distances.sort_unstable();
    distances[distances.len() / 2]
}

// === impl Meter ===

impl Meter {
    /// What it is like at an instant.
    #[must_use]
    pub fn shown(&self, now_us: i64) -> Shown {
        let rows = self.instants_us();
        let measured = || usual_distance_us(rows.iter().rev().copied());
        let expected_us = self.settings().expected_us.unwrap_or_else(measured);
        let patience_us = expected_us.saturating_mul(3).max(SILENT_MIN_US);
        let newest_us = rows.last().copied();
        let is_silent = newest_us.is_none_or(|newest_us| now_us - newest_us > patience_us);
        let end_us = newest_us.filter(|_| !is_silent).map_or(now_us, |newest_us| newest_us.min(now_us));
        Shown { expected_us, is_silent, end_us, derived_mw: self.derived_mw(now_us, expected_us) }
    }

    /// Mean power of the newest spans of its registers, import less export. None where power comes, where a register
    /// is old, or where what it counted last is not known.
    fn derived_mw(&self, now_us: i64, expected_us: i64) -> Option<i64> {
        let mut flows = Vec::new();
        for register in Register::BOTH {
            let track = self.track(register);
            let Some(last) = track.chain().last() else { continue };
            if now_us - last.ts_us > expected_us.saturating_mul(3) {
                return None;
            }
            flows.push((register, Newest::of(track, last, self.settings())?.rate(now_us)?));
        }
        let from_us = flows.iter().map(|(_, rate)| rate.from_us).min()?;
        if self.flow().holds().last().is_some_and(|hold| hold.from_us >= from_us) {
            return None;
        }
        // One quotient of both, rounded once. What has no room in 128 bits is no power of a home.
        let (mut numerator, mut denominator) = (0_i128, 1_i128);
        for (register, rate) in flows {
            let mwh = if register == Register::Import { rate.mwh } else { -rate.mwh };
            let added = i128::from(mwh).checked_mul(denominator)?;
            numerator = numerator.checked_mul(i128::from(rate.us))?.checked_add(added)?;
            denominator = denominator.checked_mul(i128::from(rate.us))?;
        }
        let mw_numerator = numerator.checked_mul(MW_US_PER_MWH)?;
        mw_numerator.checked_mul(2)?.checked_add(denominator)?;
        i64::try_from(half_up(mw_numerator, denominator)).ok()
    }
}

/// A register's newest span, and the step that brought it where it stands, if it stands still.
struct Newest<'a> {
    span: &'a Span,
    /// Its length is of one step: so much may flow before the register shows it.
    step: Option<&'a Span>,
}

/// An energy and the time in which it flowed.
struct Rate {
    from_us: i64,
    mwh: i64,
    us: i64,
}

// === impl Newest ===

impl<'a> Newest<'a> {
    fn of(track: &'a Track, last: &Point, settings: &Settings) -> Option<Self> {
        let span = track.spans().last().filter(|span| span.to_us == last.ts_us && span.mwh.is_some())?;
        let first_us = track.standing().map_or(last.ts_us, |standing| standing.first_us);
        if first_us == last.ts_us {
            return Some(Self { span, step: None });
        }
        let spans = track.spans();
        let step = spans.get(spans.partition_point(|span| span.to_us < first_us));
        let step = step.filter(|step| step.to_us == first_us);
        let is_one = |step: &&Span| settings.is_coarse() || step.quality.has(Flag::Spread);
        Some(Self { span, step: step.filter(is_one) })
    }

    fn rate(&self, now_us: i64) -> Option<Rate> {
        let from_us = self.span.from_us.min(self.span.begin_us);
        let rate = |span: &Span, us: i64| Some(Rate { from_us, mwh: flowed(span)?, us: us.max(1) });
        match self.step {
            Some(step) => rate(step, (step.to_us - step.begin_us).max(now_us - step.to_us)),
            None => rate(self.span, self.span.to_us - self.span.begin_us),
        }
    }
}

/// A dip is no flow backwards.
fn flowed(span: &Span) -> Option<i64> {
    span.mwh.map(|mwh| mwh.max(0))
}
