//! What is answered: buckets of each meter, what it is like now, and the balance of the home.

use std::collections::BTreeMap;

use anyhow::ensure;
use wattline_energy::Register;
use wattline_energy::calendar::{Calendar, Period, Resolution};
use wattline_energy::home::{Balance, Members, Role, balances, sums};
use wattline_energy::meter::decision::{Decision, Note as Decided};
use wattline_energy::meter::show::Shown;
use wattline_energy::meter::{Cell, Meter};
use wattline_energy::total::{Total, part_edges_us, totals};

use super::input::{Document, Input};
use super::instant::utc;

/// Buckets of all meters together.
const BUCKETS_MAX: usize = 1_000_000;
/// Quarter-hours that are held at once: fifty-seven meter-years.
const PARTS_MAX: usize = 2_000_000;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Whose days.
    pub calendar: Calendar,
    /// How wide buckets are.
    pub resolution: Resolution,
    /// From here on, in µs.
    pub from_us: i64,
    /// Up to here, in µs.
    pub to_us: i64,
    /// As of when, in µs.
    pub now_us: Option<i64>,
}

/// What is answered.
#[derive(Debug, Default)]
pub struct Answer {
    /// In order of time, of each time the meters by name.
    pub(super) buckets: Vec<Bucket>,
    /// As of the instant asked for; none where none was.
    pub(super) meters: Option<Vec<(String, Shown)>>,
    /// Of the home; none where there is none.
    pub(super) home: Option<Vec<HomeBucket>>,
    /// What was decided on the way.
    pub(super) notes: Vec<Note>,
}

/// A sentence about what was decided.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) text: String,
    /// To be said though nobody asked.
    pub(super) is_warning: bool,
}

/// One bucket of one meter.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) meter_id: String,
    pub(super) period: Period,
    pub(super) import: Total,
    pub(super) export: Total,
    pub(super) elapsed: Option<Elapsed>,
}

/// One bucket of the home.
#[derive(Debug)]
pub(super) struct HomeBucket {
    pub(super) period: Period,
    pub(super) balance: Balance,
    pub(super) elapsed: Option<Elapsed>,
}

/// How much of a bucket has elapsed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elapsed {
    pub(super) us: i64,
    pub(super) running: bool,
}

/// Computes the answer.
///
/// # Errors
/// A range that can't be had, or is too much.
pub fn answer(document: &Document, question: &Question) -> anyhow::Result<Answer> {
    let Question { calendar, resolution, from_us, to_us, now_us } = *question;
    let periods = calendar.periods(from_us, to_us, resolution, BUCKETS_MAX)?;
    let edges_us = part_edges_us(&periods, resolution);
    let held = if document.home.is_some() { document.meters.len().max(1) } else { 1 };
    ensure!(
        periods.len().saturating_mul(document.meters.len()) <= BUCKETS_MAX
            && edges_us.len().saturating_mul(held) <= PARTS_MAX,
        "too many buckets: ask for a shorter range, wider buckets or fewer meters"
    );
    let mut answer = Answer { meters: now_us.map(|_| Vec::new()), ..Answer::default() };
    answer.warn(document);
    let mut cells_of: BTreeMap<String, Vec<Cell>> = BTreeMap::new();
    for (meter_id, input) in &document.meters {
        let meter = Meter::new(&input.readings, &input.events, &input.settings);
        let shown = now_us.map(|now_us| meter.shown(now_us));
        answer.explain(meter_id, input, &meter);
        let cells = if resolution.is_fine() { meter.fine_cells(&edges_us) } else { meter.cells(&edges_us) };
        answer.add_meter(meter_id, &cells, &periods, question, shown);
        if let (Some(meters), Some(shown)) = (&mut answer.meters, shown) {
            meters.push((meter_id.clone(), shown));
        }
        if document.home.is_some() {
            cells_of.insert(meter_id.clone(), cells);
        }
    }
    answer.buckets.sort_by(|a, b| (a.period.start_us, &a.meter_id).cmp(&(b.period.start_us, &b.meter_id)));
    if let Some(members) = &document.home {
        answer.add_home(members, &cells_of, &periods, question);
    }
    Ok(answer)
}

// === impl Answer ===

impl Answer {
    fn add_meter(
        &mut self,
        meter_id: &str,
        cells: &[Cell],
        periods: &[Period],
        question: &Question,
        shown: Option<Shown>,
    ) {
        let [import, export] =
            Register::BOTH.map(|register| totals(cells, register, periods, question.resolution));
        for ((period, import), export) in periods.iter().zip(import).zip(export) {
            let elapsed = shown.map(|shown| Elapsed::of(period, shown.end_us));
            let meter_id = meter_id.to_owned();
            self.buckets.push(Bucket { meter_id, period: *period, import, export, elapsed });
        }
    }

    /// A home's time has elapsed as far as the slowest of its grid and production meters is.
    fn add_home(
        &mut self,
        members: &Members,
        cells: &BTreeMap<String, Vec<Cell>>,
        periods: &[Period],
        question: &Question,
    ) {
        let start_us = periods.first().map_or(0, |period| period.start_us);
        let parts = balances(members, cells, start_us, question.resolution);
        let end_us = question.now_us.map(|now_us| self.home_end_us(members, now_us));
        let bucket = |(period, balance): (&Period, Balance)| HomeBucket {
            period: *period,
            balance,
            elapsed: end_us.map(|end_us| Elapsed::of(period, end_us)),
        };
        let balances = sums(&parts, periods, question.resolution);
        self.home = Some(periods.iter().zip(balances).map(bucket).collect());
    }

    fn home_end_us(&self, members: &Members, now_us: i64) -> i64 {
        let counts = |meter_id: &str| {
            members.at(now_us).any(|member| {
                member.meter_id == meter_id
                    && member.parent.is_none()
                    && matches!(member.role, Role::Grid | Role::Production)
            })
        };
        let meters = self.meters.iter().flatten().filter(|(meter_id, _)| counts(meter_id));
        meters.map(|(_, shown)| shown.end_us).min().unwrap_or(now_us)
    }

    fn warn(&mut self, document: &Document) {
        if !document.unknown.is_empty() {
            let keys: Vec<&str> = document.unknown.iter().map(String::as_str).collect();
            let text = format!("readings have keys that are not known and say nothing: {}", keys.join(", "));
            self.notes.push(Note { text, is_warning: true });
        }
    }

    fn explain(&mut self, meter_id: &str, input: &Input, meter: &Meter) {
        for ts in &input.conflicts {
            let at = utc(ts.micros());
            let text = format!(
                "{meter_id} {at} E1: conflict: contradicts an earlier reading of its instant, put aside"
            );
            self.notes.push(Note { text, is_warning: false });
        }
        for Decided { register, from_us, to_us, decision } in meter.notes() {
            let of = match register {
                Some(Register::Import) => " import",
                Some(Register::Export) => " export",
                None => "",
            };
            let (from, to) = (utc(from_us), utc(to_us));
            let rule = decision.rule();
            let instant = instant(&decision).map(|us| format!(" at {}", utc(us))).unwrap_or_default();
            let text = format!("{meter_id} {from} to {to}{of} {rule}: {decision}{instant}");
            self.notes.push(Note { text, is_warning: matches!(decision, Decision::SwapRefused { .. }) });
        }
    }
}

/// The instant that a decision names beside those of its readings.
const fn instant(decision: &Decision) -> Option<i64> {
    match decision {
        Decision::Swap { at_us, .. } | Decision::SwapRefused { at_us, .. } => Some(*at_us),
        Decision::NewEpoch { epoch_us, .. } => Some(*epoch_us),
        Decision::Spread { begin_us, .. } => Some(*begin_us),
        _ => None,
    }
}

// === impl Elapsed ===

impl Elapsed {
    fn of(period: &Period, end_us: i64) -> Self {
        Self { us: period.elapsed_us(end_us), running: period.end_us > end_us }
    }
}
