//! What all agreements of a question look at: energies and clocks over one window.

use std::ops::Range;

use chrono_tz::Tz;

use crate::clock::{Clock, DAY_QUARTERS, Quarter, day_at, first_instant};
use crate::day;
use crate::flow::Flows;
use crate::model::{Agreement, Component, Kind, Question};

/// Means of a month look beyond the window.
const MARGIN: i64 = 33 * DAY_QUARTERS;

/// Energies, clocks and buckets.
#[derive(Debug)]
pub(crate) struct World<'a> {
    pub(crate) question: &'a Question,
    pub(crate) flows: Flows,
    pub(crate) buckets: Vec<Range<Quarter>>,
    clocks: Vec<Clock>,
}

// === impl World ===

impl<'a> World<'a> {
    pub(crate) fn new(question: &'a Question) -> Self {
        let agreements =
            || question.agreements.iter().chain(question.what_if.iter().flat_map(|set| &set.agreements));
        let starts = agreements().map(|agreement| begin(question, agreement));
        let start = starts.min().unwrap_or(question.range.start).min(question.range.start);
        let window = start..question.range.end;
        let components =
            question.tariffs.iter().flat_map(|tariff| &tariff.versions).flat_map(|one| &one.components);
        let zones =
            components.filter_map(zone).chain(agreements().map(|one| one.zone)).chain([question.zone]);
        let mut clocks: Vec<Clock> = Vec::new();
        for zone in zones {
            if !clocks.iter().any(|clock| clock.zone == zone) {
                clocks.push(Clock::new(zone, &(window.start - MARGIN..window.end + MARGIN)));
            }
        }
        let flows = Flows::new(&question.meters, window);
        let mut world = Self { question, flows, buckets: Vec::new(), clocks };
        let home = world.clock(question.zone);
        world.buckets = crate::intervals::buckets(&question.range, question.resolution, home);
        world
    }

    /// The clock of a zone that the question names.
    pub(crate) fn clock(&self, zone: Tz) -> &Clock {
        let found = self.clocks.iter().find(|clock| clock.zone == zone);
        // Each zone of the question was gathered above.
        found.unwrap_or(&self.clocks[0])
    }
}

fn zone(component: &Component) -> Option<Tz> {
    match &component.kind {
        Kind::Energy(energy) => energy.days.zone,
        Kind::Capacity(capacity) => capacity.days.zone,
        _ => None,
    }
}

/// Where to begin, so that sums of the month, counters, minima and peaks are right in the range.
pub(crate) fn begin(question: &Question, agreement: &Agreement) -> Quarter {
    let zone = agreement.zone;
    let components = || {
        let versions = &question.tariffs[agreement.tariff].versions;
        versions.iter().flat_map(|version| &version.components).map(|component| &component.kind)
    };
    let mut first = day::month(day_at(zone, question.range.start)).start;
    let origin = first;
    for kind in components() {
        if let Kind::Minimum { per, .. } = kind {
            first = first.min(agreement.period(*per, origin).start);
        }
    }
    let origin = first;
    for kind in components() {
        if let Kind::Energy(energy) = kind
            && energy.counts()
        {
            first = first.min(agreement.period(energy.per, origin).start);
        }
        if let Kind::Capacity(capacity) = kind {
            first = first.min(day::months_before(origin, capacity.average_months - 1));
        }
    }
    first_instant(zone, first).max(agreement.held.start)
}
