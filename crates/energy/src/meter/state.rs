//! What the start of a bucket must know of the rows before it, so that what follows can be computed again without the
//! whole history: a register that stands still all winter must not make every change read a winter of rows.
//!
//! A reading is *settled* when nothing that is to come can make it a glitch, nor change the run that it ends. From
//! there on rows are read again: what comes after it before the bucket's start may still turn out an excursion.

use super::flow::Flow;
use super::glitch::settled;
use super::interval::Standing;
use super::point::{Point, Swap};
use super::settings::Settings;
use super::track::{Track, points_of};
use super::{Meter, Reading};
use crate::Register;

/// A meter at the start of a bucket. It depends on the rows before it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The start of the bucket.
    pub edge_us: i64,
    /// Where import stands by its last settled reading; none without one, and after a silence.
    pub import: Option<Standing>,
    /// The same of export. Of a net register none: it is import's.
    pub export: Option<Standing>,
    /// No row at or after the edge changes anything before this instant.
    pub since_us: i64,
}

// === impl State ===

impl State {
    /// The state at an edge. Rows at or after it change nothing.
    #[must_use]
    pub fn at(edge_us: i64, readings: &[Reading], events: &[Swap], settings: &Settings) -> Self {
        let before = &readings[..readings.partition_point(|reading| reading.ts_us < edge_us)];
        let of = |register| standing_at(edge_us, before, register, events, settings);
        let import = of(Register::Import);
        let export = if settings.is_net { None } else { of(Register::Export) };
        let begins = [import, export].into_iter().flatten().map(|standing| standing.begin_us(settings));
        let since_us = begins.chain(held_us(edge_us, before, settings)).min().unwrap_or(edge_us);
        Self { edge_us, import, export, since_us: since_us.min(edge_us) }
    }

    /// From which instant on rows are needed beside the state: power that began before `since_us` may hold beyond it.
    #[must_use]
    pub const fn rows_from_us(&self, settings: &Settings) -> i64 {
        self.since_us - settings.hold_us
    }
}

/// Where a register stands at an edge. What is older than the reach says nothing of what is to come.
fn standing_at(
    edge_us: i64,
    before: &[Reading],
    register: Register,
    events: &[Swap],
    settings: &Settings,
) -> Option<Standing> {
    let points: Vec<Point> = points_of(before, register).collect();
    let chain = if settings.is_net { points.clone() } else { settled(&points, edge_us, settings) };
    let standing = Track::standing_of(chain, register, events, settings)?;
    let nothing_open = points.last() == Some(&standing.last);
    let is_silent = nothing_open && edge_us - standing.last.ts_us > settings.reach_us;
    (!is_silent).then_some(standing)
}

/// The newest row, where power is held up to it that the next row may hold on: any row tells that the meter was there.
fn held_us(edge_us: i64, before: &[Reading], settings: &Settings) -> Option<i64> {
    let newest_us = before.last()?.ts_us;
    let mut near = before.iter().rev().take_while(|reading| reading.ts_us + settings.hold_us > newest_us);
    let is_held = near.any(|reading| reading.power_mw.is_some());
    (is_held && edge_us - newest_us <= settings.reach_us).then_some(newest_us)
}

// === impl Meter ===

impl Meter {
    /// From the state at an edge, and the rows from [`State::rows_from_us`] on. Buckets from the edge on are those of
    /// the whole; earlier ones are not to be asked for.
    #[must_use]
    pub fn resume(state: &State, readings: &[Reading], events: &[Swap], settings: &Settings) -> Self {
        let flow = Flow::new(readings, settings);
        let standing = [state.import, state.export];
        // Where nothing stood, nothing before the edge is known of the register.
        let known = |reading: &Reading| {
            let is_later = reading.ts_us >= state.edge_us;
            Reading {
                import_mwh: reading.import_mwh.filter(|_| is_later || state.import.is_some()),
                export_mwh: reading.export_mwh.filter(|_| is_later || state.export.is_some()),
                ..*reading
            }
        };
        let rows: Vec<Reading> = readings.iter().map(known).collect();
        let [import, export] = Track::resumed(&rows, standing, events, settings, &flow);
        let instants_us = readings.iter().map(|reading| reading.ts_us).collect();
        Self { settings: settings.clone(), flow, import, export, instants_us }
    }
}
