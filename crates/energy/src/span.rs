//! What two consecutive readings of a register say about the time between them.

use crate::Rules;
use crate::chain::Link;
use crate::grid;
use crate::quality::{Flag, Quality};

/// A stretch of time with the energy that flowed in it, or with the remark why nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins, in µs.
    pub from_us: i64,
    /// Where it ends, in µs; always after `from_us`.
    pub to_us: i64,
    /// The energy in mWh, shared evenly over the span; none where it is unknown.
    pub mwh: Option<i64>,
    /// The length of the interval between the readings, which decides what is a gap.
    pub interval_us: i64,
    /// What is special about it.
    pub quality: Quality,
}

/// The spans of a chain, in order of time. A silence has none.
pub fn spans<'a>(
    chain: impl Iterator<Item = Link> + 'a,
    rules: &'a Rules,
) -> impl Iterator<Item = Span> + 'a {
    let mut before: Option<Link> = None;
    chain.filter_map(move |link| {
        let a = before.replace(link)?;
        between(a, link, rules)
    })
}

/// The first rule that fits decides.
fn between(a: Link, b: Link, rules: &Rules) -> Option<Span> {
    let interval_us = b.ts_us - a.ts_us;
    if interval_us > rules.reach_us || interval_us <= 0 {
        return None;
    }
    let rise = i128::from(b.mwh) - i128::from(a.mwh);
    let (known, quality) = if rise >= 0 {
        let most = rules.room_mwh(interval_us + rules.latch_us) + i128::from(rules.jump_allowance_mwh);
        if rise > most { (false, Quality::NONE.with(Flag::Implausible)) } else { (true, Quality::NONE) }
    } else if -rise <= i128::from(rules.dip_mwh) && 10 * i128::from(b.mwh) >= 9 * i128::from(a.mwh) {
        (true, Quality::NONE.with(Flag::Dip))
    } else {
        (false, Quality::NONE.with(Flag::Swap))
    };
    Some(Span {
        from_us: a.ts_us,
        to_us: b.ts_us,
        mwh: if known { i64::try_from(rise).ok() } else { None },
        interval_us,
        quality,
    })
}

// === impl Span ===

impl Span {
    /// The energy between the span's begin and this instant, rounded once: floor(x + ½), also below zero. Two
    /// neighbouring buckets round the edge between them alike, so their sum is exact.
    #[must_use]
    pub fn mwh_until(&self, us: i64, mwh: i64) -> i64 {
        if us <= self.from_us {
            return 0;
        }
        if us >= self.to_us {
            return mwh;
        }
        let length = i128::from(self.to_us - self.from_us);
        let part = i128::from(mwh) * i128::from(us - self.from_us);
        let rounded = (2 * part + length).div_euclid(2 * length);
        // Between 0 and `mwh`, so it fits.
        i64::try_from(rounded).unwrap_or(mwh)
    }

    /// Whether it is a gap for buckets of this width.
    #[must_use]
    pub const fn is_gap(&self, width_us: i64) -> bool {
        self.interval_us > grid::gap_limit_us(width_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_US: i64 = 1_000_000;

    fn span_of(a_mwh: i64, b_mwh: i64, seconds: i64) -> Option<Span> {
        let chain = [(0, a_mwh), (seconds * SECOND_US, b_mwh)].map(|(ts_us, mwh)| Link { ts_us, mwh });
        spans(chain.into_iter(), &Rules::default()).next()
    }

    #[test]
    fn a_rise_is_energy_if_it_can_have_flowed() {
        let span = span_of(5_000, 7_000, 60).expect("a span");
        assert_eq!((span.mwh, span.quality), (Some(2_000), Quality::NONE));
        // 60 kW for a minute and for the hour that a register may be latched, and 1 kWh.
        let most = 60_000_000 * 61 / 60 + 1_000_000;
        assert_eq!(span_of(0, most, 60).and_then(|span| span.mwh), Some(most));
        let above = span_of(0, most + 1, 60).expect("a span");
        assert_eq!((above.mwh, above.quality), (None, Quality::NONE.with(Flag::Implausible)));
    }

    #[test]
    fn a_small_fall_is_a_dip_and_a_large_one_is_unknown() {
        let dip = span_of(2_000_000, 1_999_000, 60).expect("a span");
        assert_eq!((dip.mwh, dip.quality), (Some(-1_000), Quality::NONE.with(Flag::Dip)));
        for (a, b) in [(2_000_000, 1_899_999), (40_000, 0), (500_000_000, 0)] {
            let fall = span_of(a, b, 60).expect("a span");
            assert_eq!((fall.mwh, fall.quality), (None, Quality::NONE.with(Flag::Swap)), "{a} to {b}");
        }
    }

    #[test]
    fn nothing_is_known_of_a_silence() {
        let reach_s = Rules::default().reach_us / SECOND_US;
        assert!(span_of(0, 1_000, reach_s).is_some());
        assert_eq!(span_of(0, 1_000, reach_s + 1), None);
    }

    #[test]
    fn edges_round_half_up_below_zero_too() {
        let span = span_of(10, 9, 2).expect("a span");
        assert_eq!(span.mwh_until(SECOND_US, -1), 0, "-0.5 becomes 0");
        let rise = span_of(9, 10, 2).expect("a span");
        assert_eq!(rise.mwh_until(SECOND_US, 1), 1, "0.5 becomes 1");
    }
}
