//! What two consecutive readings of a register say about the time between them: the first rule that fits decides.

use super::decision::Decision;
use super::point::{Point, Swap};
use super::round::share_of;
use super::settings::{MW_US_PER_MWH, Settings, mw_us};
use crate::quality::{Flag, Quality};

/// A stretch of time with the energy that flowed in it, or with the remark why nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From when on the energy is shared out: before `from_us` where the register had stood still.
    pub begin_us: i64,
    /// From when on time is known by it.
    pub from_us: i64,
    /// Where both end.
    pub to_us: i64,
    /// The energy in mWh; none where it is unknown.
    pub mwh: Option<i64>,
    /// The length of the interval that it comes from, which decides what is a gap.
    pub interval_us: i64,
    /// What is special about it.
    pub quality: Quality,
    /// Whether it is shared in proportion to power.
    pub is_shaped: bool,
}

/// Where a register stands: its last reading, and since when it has had this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The first reading of its run.
    pub first_us: i64,
    /// Its last reading.
    pub last: Point,
}

/// What the next reading says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// One, or two that follow each other; none of a silence.
    pub(super) spans: Vec<Span>,
    /// By which rule, unless the register just rose.
    pub(super) decisions: Vec<Decision>,
    /// A new run begins, though the value may be the same.
    pub(super) ends_run: bool,
}

/// From where a register stands to its next reading.
pub(super) fn step(standing: &Standing, next: &Point, events: &[Swap], settings: &Settings) -> Step {
    let between = Between::new(standing, next, settings);
    let mut decisions = Vec::new();
    if between.us() > settings.reach_us {
        decisions.push(Decision::Silence { difference_mwh: between.rise_mwh() });
        return Step { spans: Vec::new(), decisions, ends_run: true };
    }
    if let Some(spans) = between.swap(events, &mut decisions) {
        return Step { spans, decisions, ends_run: true };
    }
    if settings.is_net {
        return Step { spans: vec![between.net(&mut decisions)], decisions, ends_run: false };
    }
    if let Some(spans) = between.new_epoch(&mut decisions) {
        return Step { spans, decisions, ends_run: true };
    }
    let span =
        if between.rise_mwh() >= 0 { between.rise(&mut decisions) } else { between.fall(&mut decisions) };
    Step { spans: vec![span], decisions, ends_run: false }
}

/// Two consecutive readings of the chain.
struct Between<'a> {
    a: Point,
    b: &'a Point,
    /// Since when `a`'s value has stood still.
    begin_us: i64,
    settings: &'a Settings,
}

// === impl Standing ===

impl Standing {
    /// Since when its value has stood still; winters of it excuse nothing.
    #[must_use]
    pub fn begin_us(&self, settings: &Settings) -> i64 {
        self.first_us.max(self.last.ts_us - settings.still_max_us)
    }
}

// === impl Between ===

impl<'a> Between<'a> {
    fn new(standing: &Standing, next: &'a Point, settings: &'a Settings) -> Self {
        Self { a: standing.last, b: next, begin_us: standing.begin_us(settings), settings }
    }

    const fn us(&self) -> i64 {
        self.b.ts_us - self.a.ts_us
    }

    const fn rise_mwh(&self) -> i64 {
        self.b.mwh - self.a.mwh
    }

    /// Whether so much can have flowed in so long.
    const fn fits(&self, mwh: i64, us: i64) -> bool {
        mw_us(mwh) <= self.settings.room(us) + mw_us(self.settings.allowance_mwh())
    }

    fn span(&self, mwh: Option<i64>, quality: Quality) -> Span {
        Span {
            begin_us: self.a.ts_us,
            from_us: self.a.ts_us,
            to_us: self.b.ts_us,
            mwh,
            interval_us: self.us(),
            quality,
            is_shaped: false,
        }
    }

    /// The operator's word, where it can be true. The earliest that can counts.
    fn swap(&self, events: &[Swap], decisions: &mut Vec<Decision>) -> Option<Vec<Span>> {
        let inside = |event: &&Swap| self.a.ts_us < event.at_us && event.at_us <= self.b.ts_us;
        let allowance_mwh = self.settings.allowance_mwh();
        for event in events.iter().filter(inside) {
            let (at_us, settings) = (event.at_us, self.settings);
            let (old_mwh, new_mwh) = (event.old_mwh - self.a.mwh, self.b.mwh - event.new_mwh);
            // A net register may have fallen as well.
            let size = |mwh: i64| if settings.is_net { mwh.abs() } else { mwh };
            let may_be = |mwh: i64, us| self.fits(size(mwh), us) && size(mwh) >= -allowance_mwh;
            if !may_be(old_mwh, at_us - self.begin_us) || !may_be(new_mwh, self.b.ts_us - at_us) {
                let refused = Decision::SwapRefused { at_us, old_part_mwh: old_mwh, new_part_mwh: new_mwh };
                decisions.push(refused);
                continue;
            }
            // Displays show whole kWh: a little below zero is nothing.
            let counted = |mwh: i64| if settings.is_net { mwh } else { mwh.max(0) };
            let (old_mwh, new_mwh) = (counted(old_mwh), counted(new_mwh));
            decisions.push(Decision::Swap { at_us, old_part_mwh: old_mwh, new_part_mwh: new_mwh });
            return Some(self.parts(at_us, old_mwh, new_mwh));
        }
        None
    }

    /// Before and after a replacement. One at the very instant of the reading leaves the new meter no time, so the
    /// old one's takes it.
    fn parts(&self, at_us: i64, old_mwh: i64, new_mwh: i64) -> Vec<Span> {
        let whole = self.span(Some(old_mwh + new_mwh), Quality::NONE.with(Flag::Swap));
        if at_us == self.b.ts_us {
            return vec![whole];
        }
        vec![
            Span { to_us: at_us, mwh: Some(old_mwh), ..whole },
            Span { begin_us: at_us, from_us: at_us, mwh: Some(new_mwh), ..whole },
        ]
    }

    /// The device's word that its counter began anew, where it can be true.
    fn new_epoch(&self, decisions: &mut Vec<Decision>) -> Option<Vec<Span>> {
        let (old_us, epoch_us) = (self.a.epoch_us?, self.b.epoch_us?);
        let tolerance_us = self.settings.epoch_tolerance_us;
        let is_new = (epoch_us - old_us).abs() > tolerance_us
            && self.a.ts_us - tolerance_us < epoch_us
            && epoch_us < self.b.ts_us;
        let begin_us = epoch_us.max(self.a.ts_us);
        if !is_new || self.b.mwh < 0 || !self.fits(self.b.mwh, self.b.ts_us - begin_us) {
            return None;
        }
        decisions.push(Decision::NewEpoch { epoch_us, mwh: self.b.mwh });
        let unknown = self.span(None, Quality::NONE.with(Flag::Reset));
        let known = Span {
            begin_us,
            from_us: begin_us,
            mwh: Some(self.b.mwh),
            interval_us: self.b.ts_us - begin_us,
            ..unknown
        };
        if begin_us == self.a.ts_us {
            return Some(vec![known]);
        }
        Some(vec![Span { to_us: begin_us, ..unknown }, known])
    }

    fn rise(&self, decisions: &mut Vec<Decision>) -> Span {
        let mwh = self.rise_mwh();
        if !self.fits(mwh, self.b.ts_us - self.begin_us) {
            decisions.push(self.jump());
            return self.span(None, Quality::NONE.with(Flag::Implausible));
        }
        if self.has_stood_still(mwh) {
            decisions.push(Decision::Spread { begin_us: self.begin_us, mwh });
            let span = self.span(Some(mwh), Quality::NONE.with(Flag::Spread));
            return Span { begin_us: self.begin_us, ..span };
        }
        self.span(Some(mwh), Quality::NONE)
    }

    /// Whether the rise is of the time in which the register stood still: of a coarse one each is, else one that can't
    /// have flowed since the last reading.
    fn has_stood_still(&self, mwh: i64) -> bool {
        let most = self.settings.room(self.us()) + mw_us(self.settings.dip_mwh);
        mwh > 0 && (self.settings.is_coarse() || mw_us(mwh) > most)
    }

    fn jump(&self) -> Decision {
        let room = self.settings.room(self.b.ts_us - self.begin_us) / MW_US_PER_MWH;
        Decision::Jump {
            rise_mwh: self.rise_mwh(),
            room_mwh: i64::try_from(room).unwrap_or(i64::MAX),
            allowance_mwh: self.settings.allowance_mwh(),
        }
    }

    fn fall(&self, decisions: &mut Vec<Decision>) -> Span {
        let rise_mwh = self.rise_mwh();
        let (before, after) = (i128::from(self.a.mwh), i128::from(self.b.mwh));
        if -rise_mwh <= self.settings.dip_bound_mwh() && 10 * after >= 9 * before {
            decisions.push(Decision::Dip { mwh: rise_mwh });
            return self.span(Some(rise_mwh), Quality::NONE.with(Flag::Dip));
        }
        if let Some(modulus_mwh) = self.modulus_mwh() {
            let mwh = modulus_mwh + rise_mwh;
            decisions.push(Decision::Rollover { modulus_mwh, mwh });
            return self.span(Some(mwh), Quality::NONE.with(Flag::Rollover));
        }
        if self.is_reset() {
            decisions.push(Decision::Reset { before_mwh: self.a.mwh, mwh: self.b.mwh });
            return self.span(Some(self.b.mwh), Quality::NONE.with(Flag::Reset));
        }
        decisions.push(Decision::UnexplainedFall { before_mwh: self.a.mwh, after_mwh: self.b.mwh });
        self.span(None, Quality::NONE.with(Flag::Swap))
    }

    /// The smallest number at which the register may have run over. It has then come a thousandth of it at most.
    fn modulus_mwh(&self) -> Option<i64> {
        let ran_over = |modulus_mwh: &i64| {
            let mwh = *modulus_mwh + self.rise_mwh();
            self.a.mwh < *modulus_mwh
                && mwh >= 0
                && 1000 * i128::from(mwh) <= i128::from(*modulus_mwh)
                && self.fits(mwh, self.b.ts_us - self.begin_us)
        };
        self.settings.moduli_mwh.iter().copied().filter(ran_over).min()
    }

    /// A counter that begins at zero hits the upper half of its old value by chance only, and has not counted for
    /// longer than since the last reading. What stood still before that was the old count: it buys nothing.
    fn is_reset(&self) -> bool {
        let settings = self.settings;
        let us = self.us() + settings.latch_us;
        let us = us.min(self.b.ts_us - self.begin_us).min(settings.reset_room_us);
        let is_far_below = self.b.mwh >= 0 && 2 * i128::from(self.b.mwh) < i128::from(self.a.mwh);
        is_far_below && mw_us(self.b.mwh) <= settings.room(us)
    }

    /// A register that turns both ways: nothing of a change tells that it is none.
    fn net(&self, decisions: &mut Vec<Decision>) -> Span {
        let mwh = self.rise_mwh();
        if !self.fits(mwh.abs(), self.b.ts_us - self.begin_us) {
            decisions.push(self.jump());
            return self.span(None, Quality::NONE.with(Flag::Implausible));
        }
        if self.has_stood_still(mwh.abs()) {
            decisions.push(Decision::Spread { begin_us: self.begin_us, mwh });
            let span = self.span(Some(mwh), Quality::NONE.with(Flag::Spread));
            return Span { begin_us: self.begin_us, ..span };
        }
        self.span(Some(mwh), Quality::NONE)
    }
}

// === impl Span ===

impl Span {
    /// The energy up to an instant where it is shared evenly, rounded once: floor(x + ½), also below zero. Two
    /// neighbouring buckets round the edge between them alike, so their sum is exact.
    #[must_use]
    pub fn even_share(&self, us: i64, mwh: i64) -> i64 {
        let elapsed_us = us.clamp(self.begin_us, self.to_us) - self.begin_us;
        share_of(mwh, i128::from(elapsed_us), i128::from(self.to_us - self.begin_us))
    }
}
