//! Lines of energy: mWh × price, quarter-hour by quarter-hour.

use std::ops::Range;

use super::counter::Counter;
use super::{Counters, Gaps, Work};
use crate::bands::{UNKNOWN, bands};
use crate::clock::Quarter;
use crate::exact::{Beyond, Exact};
use crate::flags::Flags;
use crate::flow::Flow;
use crate::line::{Cell, Probe};
use crate::model::{Band, Component, Energy, Kind, Measure, Per};
use crate::quotes::{Quote, Quotes};

/// A band in one version.
struct Track<'a> {
    band: &'a Band,
    line: usize,
    /// One for each tier.
    quotes: Vec<Quotes>,
    /// Of a band that counts.
    counter: Option<(Counter, Vec<i64>)>,
    /// Those by which other versions of the component count.
    others: Vec<(Per, Counter)>,
    sum: Sum,
}

/// What a line gathers in an interval.
#[derive(Clone, Copy, Default)]
struct Sum {
    base: i128,
    mwh: i64,
    flags: Flags,
    is_present: bool,
    has_energy: bool,
    has_amount: bool,
}

/// What a quarter-hour comes to.
struct Priced {
    /// None where it can't be known.
    base: Option<i128>,
    flags: Flags,
}

pub(super) fn energy(work: &mut Work<'_>, gaps: &mut Gaps) -> Result<(), Beyond> {
    let mut counters = Counters::default();
    for (version, place, component, held) in work.components() {
        if let Kind::Energy(energy) = &component.kind {
            let pass = Pass { version, place, component, energy, held };
            pass.run(work, &mut counters, gaps)?;
        }
    }
    Ok(())
}

/// A component of energy in one version.
struct Pass<'a> {
    version: usize,
    place: usize,
    component: &'a Component,
    energy: &'a Energy,
    held: Range<Quarter>,
}

// === impl Pass ===

impl<'a> Pass<'a> {
    fn run(&self, work: &mut Work<'a>, counters: &mut Counters, gaps: &mut Gaps) -> Result<(), Beyond> {
        let clock = work.world.clock(self.energy.days.zone.unwrap_or(work.agreement.zone));
        let locals = clock.slice(self.held.clone());
        let fitting = bands(&self.energy.bands, &self.energy.days, &work.world.question.calendars, locals);
        let mut tracks = self.tracks(work, counters)?;
        let mut unknown = Sum::default();
        let flows = match self.energy.measure {
            Measure::Import => std::mem::take(&mut work.import),
            Measure::Export => std::mem::take(&mut work.export),
            Measure::Net => std::mem::take(&mut work.net),
        };
        for interval in work.meeting(&self.held) {
            let piece = &work.intervals[interval].span;
            let span = piece.start.max(self.held.start)..piece.end.min(self.held.end);
            let looked = work.looks.quarters.binary_search(&span.start).is_ok();
            for quarter in span {
                let (flow, at) =
                    (flows[work.index(quarter)], usize::try_from(quarter - self.held.start).unwrap_or(0));
                if flow.flags.has(Flags::NO_ENERGY) {
                    gaps.lacks_energy(quarter);
                }
                let Some(track) = tracks.get_mut(usize::from(fitting[at])) else {
                    gaps.lacks_price(quarter);
                    unknown.add(flow, &self.without_band(flow, &mut tracks));
                    continue;
                };
                let mut probe = looked.then(Probe::default);
                let priced = self.price(track, flow, quarter, at, work, probe.as_mut());
                if priced.flags.has(Flags::NO_PRICE) {
                    gaps.lacks_price(quarter);
                }
                track.go_on(flow, quarter, work);
                track.sum.add(flow, &priced);
                work.lines[track.line].probes.extend(probe.map(|probe| (interval, probe)));
            }
            self.flush(work, interval, &mut tracks, &mut unknown)?;
        }
        match self.energy.measure {
            Measure::Import => work.import = flows,
            Measure::Export => work.export = flows,
            Measure::Net => work.net = flows,
        }
        self.keep(tracks, counters);
        Ok(())
    }

    fn tracks(&self, work: &mut Work<'a>, counters: &mut Counters) -> Result<Vec<Track<'a>>, Beyond> {
        let clock = work.world.clock(self.energy.days.zone.unwrap_or(work.agreement.zone));
        let series = &work.world.question.series;
        let mut tracks = Vec::new();
        for band in &self.energy.bands {
            let quotes =
                band.tiers.iter().map(|tier| Quotes::new(&tier.price, series, clock, self.held.clone()));
            let quotes = quotes.collect::<Result<_, _>>()?;
            let counts = self.energy.measure == Measure::Net || band.tiers.len() > 1;
            let counter = counts.then(|| {
                let counter = counters.take(&self.component.id, band.id.as_deref(), self.energy.per);
                let edges = counter.edges(band, self.energy, work.agreement);
                (counter, edges)
            });
            let others = self.periods(work, band.id.as_deref()).into_iter();
            let others = others.filter(|per| !(counts && *per == self.energy.per));
            let others =
                others.map(|per| (per, counters.take(&self.component.id, band.id.as_deref(), per))).collect();
            let line = work.line(self.version, self.place, band.id.as_deref());
            tracks.push(Track { band, line, quotes, counter, others, sum: Sum::default() });
        }
        Ok(tracks)
    }

    /// Counters go on in the next version.
    fn keep(&self, tracks: Vec<Track<'a>>, counters: &mut Counters) {
        for track in tracks {
            let own = track.counter.map(|(counter, _)| (self.energy.per, counter));
            for (per, counter) in own.into_iter().chain(track.others) {
                counters.put(&self.component.id, track.band.id.as_deref(), per, counter);
            }
        }
    }

    /// By which the band counts in any version.
    fn periods(&self, work: &Work<'a>, band: Option<&str>) -> Vec<Per> {
        let mut found = Vec::new();
        let all = work.tariff.versions.iter().flat_map(|version| &version.components);
        for component in all.filter(|component| component.id == self.component.id) {
            let Kind::Energy(energy) = &component.kind else { continue };
            let mut own = energy.bands.iter().filter(|one| one.id.as_deref() == band);
            if own.any(|one| energy.measure == Measure::Net || one.tiers.len() > 1)
                && !found.contains(&energy.per)
            {
                found.push(energy.per);
            }
        }
        found
    }

    /// Any of the counters might have moved.
    fn without_band(&self, flow: Flow, tracks: &mut [Track<'a>]) -> Priced {
        let is_nothing = flow.is_known && flow.mwh == 0;
        for track in tracks.iter_mut().filter(|_| !is_nothing) {
            let own = track.counter.iter_mut().map(|(counter, _)| counter);
            own.chain(track.others.iter_mut().map(|(_, counter)| counter))
                .for_each(|counter| counter.is_unsure = true);
        }
        Priced { base: is_nothing.then_some(0), flags: flow.flags | Flags::NO_PRICE }
    }

    fn price(
        &self,
        track: &mut Track<'a>,
        flow: Flow,
        quarter: Quarter,
        at: usize,
        work: &Work<'a>,
        probe: Option<&mut Probe>,
    ) -> Priced {
        if track.counter.is_some() {
            return self.count(track, flow, quarter, at, work, probe);
        }
        let quote = track.quotes[0].at(at);
        let mut flags = flow.flags | quote.map_or(Flags::NO_PRICE, |quote| quote.flags);
        if !flow.is_known {
            flags =
                flags.only(Flags::NO_ENERGY | Flags::NO_PRICE | Flags::ESTIMATED_PRICE | Flags::PROVISIONAL);
        }
        let sign = i128::from(self.energy.measure.sign());
        let known = quote.filter(|_| flow.is_known);
        let base = known.map(|quote| sign * i128::from(flow.mwh) * i128::from(quote.price));
        if let Some(probe) = probe {
            probe.next_price = quote.map(|quote| quote.price);
            probe.published_us = quote.and_then(|quote| quote.published_us);
            probe.portions.extend(known.map(|quote| (flow.mwh, quote.price)));
        }
        Priced { base: base.or((flow.is_known && flow.mwh == 0).then_some(0)), flags }
    }

    fn count(
        &self,
        track: &mut Track<'a>,
        flow: Flow,
        quarter: Quarter,
        at: usize,
        work: &Work<'a>,
        probe: Option<&mut Probe>,
    ) -> Priced {
        let Some((counter, edges)) = &mut track.counter else {
            return Priced { base: None, flags: flow.flags };
        };
        if counter.reach(quarter, self.energy.per, work.agreement, work.clock) {
            *edges = counter.edges(track.band, self.energy, work.agreement);
        }
        let quotes: Vec<Option<Quote>> = track.quotes.iter().map(|quotes| quotes.at(at)).collect();
        let mut flags = flow.flags;
        for quote in &quotes {
            flags |= quote.map_or(Flags::NO_PRICE, |quote| quote.flags);
        }
        let surplus = track.band.surplus;
        let price = |tier: Option<usize>| match tier {
            Some(tier) => quotes.get(tier).copied().flatten().map(|quote| quote.price),
            None => surplus,
        };
        let next_price = match self.energy.measure {
            Measure::Net => price(counter.tier(edges, surplus.is_some())),
            Measure::Import | Measure::Export => price(Some(0)),
        };
        let (was_unsure, sign) = (counter.is_unsure, i128::from(self.energy.measure.sign()));
        let (mut base, mut portions) = (Some(0_i128), Vec::new());
        counter.pass(flow.mwh, edges, surplus.is_some(), |(tier, mwh)| {
            let amount = price(tier).map(|price| sign * i128::from(mwh) * i128::from(price));
            base = base.zip(amount).map(|(base, amount)| base + amount);
            portions.extend(price(tier).map(|price| (mwh, price)));
        });
        counter.is_unsure |= flow.flags.has(Flags::NO_ENERGY);
        let lacks_price = flags.has(Flags::NO_PRICE);
        if flow.is_known && was_unsure {
            flags |= Flags::PROVISIONAL;
        }
        if let Some(probe) = probe {
            probe.next_price = next_price;
            probe.published_us = quotes.iter().flatten().filter_map(|quote| quote.published_us).max();
            probe.portions = if lacks_price { Vec::new() } else { portions };
        }
        let is_known = flow.is_known && (!lacks_price || flow.mwh == 0);
        Priced { base: base.filter(|_| is_known), flags }
    }

    fn flush(
        &self,
        work: &mut Work<'a>,
        interval: usize,
        tracks: &mut [Track<'a>],
        unknown: &mut Sum,
    ) -> Result<(), Beyond> {
        for track in tracks {
            if track.sum.is_present {
                work.lines[track.line].add(interval, &std::mem::take(&mut track.sum).cell())?;
            }
        }
        if unknown.is_present {
            let line = work.line(self.version, self.place, None);
            work.lines[line].add(interval, &std::mem::take(unknown).cell())?;
        }
        Ok(())
    }
}

// === impl Track ===

impl Track<'_> {
    /// Moves the counters by which nothing is priced here.
    fn go_on(&mut self, flow: Flow, quarter: Quarter, work: &Work<'_>) {
        for (per, counter) in &mut self.others {
            counter.reach(quarter, *per, work.agreement, work.clock);
            counter.go_on(flow);
        }
    }
}

// === impl Sum ===

impl Sum {
    fn add(&mut self, flow: Flow, priced: &Priced) {
        self.is_present = true;
        self.has_energy |= flow.is_known;
        self.mwh += flow.mwh;
        self.flags |= priced.flags;
        if let Some(base) = priced.base {
            self.base += base;
            self.has_amount = true;
        }
    }

    fn cell(self) -> Cell {
        Cell {
            base: Exact::whole(self.base),
            quantity_mwh: self.mwh,
            flags: self.flags,
            is_present: self.is_present,
            has_energy: self.has_energy,
            has_amount: self.has_amount,
        }
    }
}

const _: () = assert!(UNKNOWN as usize > 64, "no band has this place");
