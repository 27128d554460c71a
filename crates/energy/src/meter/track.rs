//! One register from its first reading to its last.

use super::Reading;
use super::decision::{Decision, Note};
use super::flow::Flow;
use super::glitch::{Excursion, clean};
use super::interval::{Span, Standing, Step, step};
use super::point::{Point, Swap};
use super::round::half_up;
use super::settings::{MW_US_PER_MWH, Settings};
use crate::Register;

/// What a register's readings say: spans of energy, what was ignored, and where it stands.
#[derive(Clone, Debug, Default)]
pub struct Track {
    chain: Vec<Point>,
    spans: Vec<Span>,
    ignored_us: Vec<i64>,
    notes: Vec<Note>,
    standing: Option<Standing>,
}

// === impl Track ===

impl Track {
    /// Import and export.
    #[must_use]
    pub fn both(readings: &[Reading], events: &[Swap], settings: &Settings, flow: &Flow) -> [Self; 2] {
        Self::resumed(readings, [None, None], events, settings, flow)
    }

    /// From where import and export stood: readings up to there are known by it alone.
    pub(super) fn resumed(
        readings: &[Reading],
        [import, export]: [Option<Standing>; 2],
        events: &[Swap],
        settings: &Settings,
        flow: &Flow,
    ) -> [Self; 2] {
        let of = |register| {
            let standing = if register == Register::Import { import } else { export };
            Self::of_register(readings, register, standing, events, settings)
        };
        let mut tracks = if settings.is_net {
            let net = of(Register::Import);
            [net.side(1), net.side(-1)]
        } else {
            Register::BOTH.map(of)
        };
        for (track, register) in tracks.iter_mut().zip(Register::BOTH) {
            for span in &mut track.spans {
                span.is_shaped = flow.shapes(span, register, settings);
            }
        }
        tracks
    }

    fn of_register(
        readings: &[Reading],
        register: Register,
        standing: Option<Standing>,
        events: &[Swap],
        settings: &Settings,
    ) -> Self {
        let mut points: Vec<Point> = standing.iter().map(|standing| standing.last).collect();
        let known_us = standing.map_or(i64::MIN, |standing| standing.last.ts_us);
        points.extend(points_of(readings, register).filter(|point| point.ts_us > known_us));
        let mut events: Vec<Swap> =
            events.iter().filter(|event| event.register == register).copied().collect();
        events.sort_by_key(|event| event.at_us);
        let mut track = Self { standing, ..Self::default() };
        if settings.is_net {
            // What falls and comes back may have gone out and in again.
            track.chain = points;
        } else {
            let cleaned = clean(&points, settings);
            track.chain = cleaned.chain;
            track.ignore(&cleaned.excursions, register);
        }
        track.walk(register, &events, settings);
        track
    }

    fn ignore(&mut self, excursions: &[Excursion], register: Register) {
        for excursion in excursions {
            self.ignored_us.extend(excursion.ignored.iter().map(|point| point.ts_us));
            self.notes.push(Note {
                register: Some(register),
                from_us: excursion.before.ts_us,
                to_us: excursion.after.ts_us,
                decision: excursion.decision(),
            });
        }
        self.ignored_us.sort_unstable();
    }

    fn walk(&mut self, register: Register, events: &[Swap], settings: &Settings) {
        let known = usize::from(self.standing.is_some());
        for point in &self.chain[known..] {
            let Some(standing) = &mut self.standing else {
                self.standing = Some(Standing { first_us: point.ts_us, last: *point });
                continue;
            };
            // Of the events only those behind the last reading.
            let from = events.partition_point(|event| event.at_us <= standing.last.ts_us);
            let Step { spans, decisions, ends_run } = step(standing, point, &events[from..], settings);
            let note = |decision| Note {
                register: Some(register),
                from_us: standing.last.ts_us,
                to_us: point.ts_us,
                decision,
            };
            self.notes.extend(decisions.into_iter().map(note));
            self.spans.extend(spans);
            standing.follow(point, ends_run);
        }
    }

    /// Where a chain stands at its end.
    pub(super) fn standing_of(
        chain: Vec<Point>,
        register: Register,
        events: &[Swap],
        settings: &Settings,
    ) -> Option<Standing> {
        let mut events: Vec<Swap> =
            events.iter().filter(|event| event.register == register).copied().collect();
        events.sort_by_key(|event| event.at_us);
        let mut track = Self { chain, ..Self::default() };
        track.walk(register, &events, settings);
        track.standing
    }

    /// Of a net register the one direction: what goes the other way is none of it.
    fn side(&self, sign: i64) -> Self {
        let span = |span: &Span| Span { mwh: span.mwh.map(|mwh| (sign * mwh).max(0)), ..*span };
        let notes = if sign > 0 { self.notes.clone() } else { Vec::new() };
        Self { spans: self.spans.iter().map(span).collect(), notes, ..self.clone() }
    }

    /// Readings that count.
    #[must_use]
    pub fn chain(&self) -> &[Point] {
        &self.chain
    }

    /// What they say, in order of time.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The instants of readings that are ignored, in order.
    #[must_use]
    pub fn ignored_us(&self) -> &[i64] {
        &self.ignored_us
    }

    /// Where the register stands after its last reading.
    #[must_use]
    pub const fn standing(&self) -> Option<&Standing> {
        self.standing.as_ref()
    }

    /// What was decided of it.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// How its longer spans are shared: by power, or evenly and as a gap.
    pub(super) fn sharing_notes(&self, register: Register, flow: &Flow, limit_us: i64) -> Vec<Note> {
        let note = |span: &Span| {
            let mwh = span.mwh?;
            let interval_us = span.interval_us;
            let decision = if span.is_shaped {
                let told = flow.mw_us(register, span.begin_us, span.to_us);
                let power_mwh = i64::try_from(half_up(told, MW_US_PER_MWH)).unwrap_or(i64::MAX);
                Decision::Shaped { interval_us, mwh, power_mwh }
            } else {
                Decision::Gap { interval_us, limit_us, mwh }
            };
            let (from_us, to_us) = (span.from_us, span.to_us);
            (interval_us > limit_us).then_some(Note { register: Some(register), from_us, to_us, decision })
        };
        self.spans.iter().filter_map(note).collect()
    }
}

/// A register's readings.
pub(super) fn points_of(readings: &[Reading], register: Register) -> impl Iterator<Item = Point> + '_ {
    readings.iter().filter_map(move |reading| {
        let mwh = reading.register(register)?;
        Some(Point { ts_us: reading.ts_us, mwh, epoch_us: reading.epoch_us })
    })
}

// === impl Standing ===

impl Standing {
    /// The next reading of the chain.
    fn follow(&mut self, point: &Point, ends_run: bool) {
        if ends_run || point.mwh != self.last.mwh {
            self.first_us = point.ts_us;
        }
        self.last = *point;
    }
}

// === impl Excursion ===

impl Excursion {
    fn decision(&self) -> Decision {
        let values = || self.ignored.iter().map(|point| point.mwh);
        Decision::Glitch {
            side: self.side,
            before_mwh: self.before.mwh,
            lowest_mwh: values().min().unwrap_or_default(),
            highest_mwh: values().max().unwrap_or_default(),
            after_mwh: self.after.mwh,
            readings: self.ignored.len(),
        }
    }
}
