//! One agreement from where it must be looked at to the end of the range: all of its lines.

mod capacity;
mod counter;
mod derived;
mod energy;
mod fixed;

use std::ops::Range;

use crate::clock::{Clock, Quarter};
use crate::day::Day;
use crate::exact::Beyond;
use crate::flow::{Flow, Flows};
use crate::intervals::{Interval, intervals};
use crate::line::{Cell, Line};
use crate::model::{Agreement, Component, Kind, Measure, Tariff, Version};
use crate::world::{World, begin};

pub(crate) use capacity::Month;
use counter::Counters;

/// Quarter-hours of the range in which something is not known.
#[derive(Clone, Debug)]
pub(crate) struct Gaps {
    first: Quarter,
    pub(crate) energy: Vec<bool>,
    pub(crate) price: Vec<bool>,
}

/// An agreement and all that came of it.
#[derive(Debug)]
pub(crate) struct Course<'a> {
    pub(crate) agreement: &'a Agreement,
    pub(crate) tariff: &'a Tariff,
    pub(crate) intervals: Vec<Interval>,
    /// In the order of versions, components and bands.
    pub(crate) lines: Vec<Line>,
    /// Peaks of the months that the range meets.
    pub(crate) months: Vec<Month>,
}

/// What is looked at closely.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looks {
    /// Single quarter-hours, in order.
    pub(crate) quarters: Vec<Quarter>,
    /// Cut at the billing periods.
    pub(crate) bills: bool,
}

/// What the components of an agreement are computed from.
struct Work<'a> {
    world: &'a World<'a>,
    agreement: &'a Agreement,
    tariff: &'a Tariff,
    clock: &'a Clock,
    /// From where it begins to where it ends or the range does.
    span: Range<Quarter>,
    /// Of `flows`, and of what is derived from them.
    window_start: Quarter,
    import: Vec<Flow>,
    export: Vec<Flow>,
    net: Vec<Flow>,
    intervals: Vec<Interval>,
    lines: Vec<Line>,
    looks: &'a Looks,
}

// === impl Gaps ===

impl Gaps {
    pub(crate) fn new(range: &Range<Quarter>) -> Self {
        let length = usize::try_from(range.end - range.start).unwrap_or(0);
        Self { first: range.start, energy: vec![false; length], price: vec![false; length] }
    }

    fn place(&self, quarter: Quarter) -> Option<usize> {
        usize::try_from(quarter - self.first).ok()
    }

    fn lacks_energy(&mut self, quarter: Quarter) {
        if let Some(place) = self.place(quarter) {
            self.energy[place] = true;
        }
    }

    pub(crate) fn lacks_price(&mut self, quarter: Quarter) {
        if let Some(place) = self.place(quarter) {
            self.price[place] = true;
        }
    }
}

// === impl Course ===

impl<'a> Course<'a> {
    /// Computes everything; what is not known in the range goes to `gaps`.
    pub(crate) fn new(
        world: &'a World<'a>,
        flows: &Flows,
        agreement: &'a Agreement,
        looks: &'a Looks,
        gaps: &mut Gaps,
    ) -> Result<Self, Beyond> {
        let tariff = &world.question.tariffs[agreement.tariff];
        let span = begin(world.question, agreement)..agreement.held.end.min(world.question.range.end);
        let mut course =
            Self { agreement, tariff, intervals: Vec::new(), lines: Vec::new(), months: Vec::new() };
        if span.is_empty() {
            return Ok(course);
        }
        let mut work = Work::new(world, flows, agreement, span, looks);
        energy::energy(&mut work, gaps)?;
        fixed::fixed(&mut work)?;
        course.months = capacity::capacity(&mut work)?;
        derived::derived(&mut work)?;
        work.lines.sort_by_key(|line| (line.version, line.component));
        course.lines = work.lines;
        course.intervals = work.intervals;
        Ok(course)
    }

    pub(crate) fn version(&self, line: &Line) -> &'a Version {
        &self.tariff.versions[line.version]
    }

    pub(crate) fn component(&self, line: &Line) -> &'a Component {
        &self.version(line).components[line.component]
    }

    /// What a line of energy measures.
    pub(crate) fn measure(&self, line: &Line) -> Option<Measure> {
        match &self.component(line).kind {
            Kind::Energy(energy) => Some(energy.measure),
            _ => None,
        }
    }

    /// Where a quarter-hour that was looked at lies.
    pub(crate) fn interval(&self, quarter: Quarter) -> Option<usize> {
        let after = self.intervals.partition_point(|interval| interval.span.start <= quarter);
        after.checked_sub(1).filter(|place| self.intervals[*place].span.contains(&quarter))
    }

    /// The part of a line's components that a percentage takes directly.
    pub(crate) fn direct_percentages(&self, line: &Line) -> impl Iterator<Item = (i64, &'a Component)> {
        let place = line.component;
        self.version(line).components.iter().filter_map(move |component| match &component.kind {
            Kind::Percent { part, of } if of.contains(&place) => Some((*part, component)),
            _ => None,
        })
    }
}

// === impl Work ===

impl<'a> Work<'a> {
    fn new(
        world: &'a World<'a>,
        flows: &Flows,
        agreement: &'a Agreement,
        span: Range<Quarter>,
        looks: &'a Looks,
    ) -> Self {
        let tariff = &world.question.tariffs[agreement.tariff];
        let clock = world.clock(agreement.zone);
        let of = |measure| flows.of(&agreement.meters, measure);
        let mut work = Self {
            world,
            agreement,
            tariff,
            clock,
            window_start: flows.window.start,
            import: of(Measure::Import),
            export: of(Measure::Export),
            net: of(Measure::Net),
            intervals: Vec::new(),
            lines: Vec::new(),
            looks,
            span,
        };
        let cuts = work.cuts();
        work.intervals = intervals(&work.span, &world.buckets, clock, cuts);
        work
    }

    /// Where sums are needed beside buckets and months.
    fn cuts(&self) -> Vec<Quarter> {
        let mut cuts: Vec<Quarter> =
            self.looks.quarters.iter().flat_map(|quarter| [*quarter, *quarter + 1]).collect();
        let components = self.tariff.versions.iter().flat_map(|version| &version.components);
        let minima = components.filter_map(|component| match component.kind {
            Kind::Minimum { per, .. } => Some(per),
            _ => None,
        });
        let bills = self.looks.bills.then_some(crate::model::Per::Billing);
        for per in minima.chain(bills) {
            cuts.extend(self.periods(per).map(|period| self.clock.start(period.start)));
        }
        cuts
    }

    /// The periods that the span meets.
    fn periods(&self, per: crate::model::Per) -> impl Iterator<Item = Range<Day>> {
        let (first, last) = (self.clock.at(self.span.start).day, self.clock.at(self.span.end - 1).day);
        let agreement = self.agreement;
        let first = agreement.period(per, first);
        std::iter::successors(Some(first), move |period| Some(agreement.period(per, period.end)))
            .take_while(move |period| period.start <= last)
    }

    /// When a version holds, within the span.
    fn held(&self, version: usize) -> Range<Quarter> {
        let start = |version: &Version| self.clock.start(version.from);
        let from = start(&self.tariff.versions[version]);
        let to = self.tariff.versions.get(version + 1).map_or(Quarter::MAX, start);
        from.max(self.span.start)..to.min(self.span.end)
    }

    /// All components of versions that hold in the span, in order.
    fn components(&self) -> Vec<(usize, usize, &'a Component, Range<Quarter>)> {
        let mut found = Vec::new();
        for (place, version) in self.tariff.versions.iter().enumerate() {
            let held = self.held(place);
            if held.is_empty() {
                continue;
            }
            let components = version.components.iter().enumerate();
            found.extend(components.map(|(component, one)| (place, component, one, held.clone())));
        }
        found
    }

    /// The intervals that meet a span, in order.
    fn meeting(&self, span: &Range<Quarter>) -> Range<usize> {
        let first = self.intervals.partition_point(|interval| interval.span.end <= span.start);
        let end = self.intervals.partition_point(|interval| interval.span.start < span.end);
        first..end.max(first)
    }

    /// Adds to the line of a component without bands.
    fn book(&mut self, version: usize, component: usize, interval: usize, cell: &Cell) -> Result<(), Beyond> {
        let place = self.line(version, component, None);
        self.lines[place].add(interval, cell)
    }

    /// The place of a line, made where there is none yet.
    fn line(&mut self, version: usize, component: usize, band: Option<&str>) -> usize {
        let is_it = |line: &Line| {
            line.version == version && line.component == component && line.band.as_deref() == band
        };
        self.lines.iter().position(is_it).unwrap_or_else(|| {
            self.lines.push(Line::new(version, component, band.map(str::to_owned)));
            self.lines.len() - 1
        })
    }

    fn index(&self, quarter: Quarter) -> usize {
        usize::try_from(quarter - self.window_start).unwrap_or(0)
    }
}
