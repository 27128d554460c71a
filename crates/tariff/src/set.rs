//! A set of agreements that hold together, computed.

use std::ops::Range;

use crate::clock::Quarter;
use crate::course::{Course, Gaps, Looks};
use crate::exact::Beyond;
use crate::model::Agreement;
use crate::settle::{Shown, settle};
use crate::world::World;

/// All lines of all agreements, exact and as they are shown.
#[derive(Debug)]
pub(crate) struct Set<'a> {
    pub(crate) courses: Vec<Course<'a>>,
    /// By course and line: intervals with what is shown there.
    pub(crate) shown: Vec<Vec<Vec<(usize, Shown)>>>,
    pub(crate) gaps: Gaps,
    /// Quarter-hours of the range in which a meter lacks an agreement that it has at other times.
    pub(crate) no_tariff: Vec<bool>,
}

// === impl Set ===

impl<'a> Set<'a> {
    pub(crate) fn new(
        world: &'a World<'a>,
        agreements: &'a [Agreement],
        looks: &'a Looks,
    ) -> Result<Self, Beyond> {
        let range = &world.question.range;
        let mut gaps = Gaps::new(range);
        let courses = agreements
            .iter()
            .map(|agreement| Course::new(world, &world.flows, agreement, looks, &mut gaps))
            .collect::<Result<Vec<_>, _>>()?;
        let shown = courses
            .iter()
            .map(|course| course.lines.iter().map(|line| settle(course, line)).collect())
            .collect::<Result<_, _>>()?;
        let no_tariff = no_tariff(world, agreements);
        for (quarter, lacks) in range.clone().zip(&no_tariff) {
            if *lacks {
                gaps.lacks_price(quarter);
            }
        }
        Ok(Self { courses, shown, gaps, no_tariff })
    }

    /// The currencies of its agreements, in their order.
    pub(crate) fn currencies(&self) -> Vec<&'a str> {
        let mut currencies: Vec<&str> = Vec::new();
        for course in &self.courses {
            if !currencies.contains(&course.tariff.currency.as_str()) {
                currencies.push(&course.tariff.currency);
            }
        }
        currencies
    }
}

fn no_tariff(world: &World<'_>, agreements: &[Agreement]) -> Vec<bool> {
    let (range, tariffs) = (&world.question.range, &world.question.tariffs);
    let length = usize::try_from(range.end - range.start).unwrap_or(0);
    let mut lacks = vec![false; length];
    let mut pairs: Vec<(usize, &str)> = Vec::new();
    for agreement in agreements {
        let kind = tariffs[agreement.tariff].kind.as_str();
        for meter in agreement.meters.iter().map(|meter| (*meter, kind)) {
            if !pairs.contains(&meter) {
                pairs.push(meter);
            }
        }
    }
    for (meter, kind) in pairs {
        let mut has = vec![false; length];
        for agreement in agreements {
            let tariff = &tariffs[agreement.tariff];
            if tariff.kind == kind && agreement.meters.contains(&meter) {
                has[held(world, agreement, range)].fill(true);
            }
        }
        lacks.iter_mut().zip(has).for_each(|(lacks, has)| *lacks |= !has);
    }
    lacks
}

/// The places in the range at which an agreement holds with a version of its tariff.
fn held(world: &World<'_>, agreement: &Agreement, range: &Range<Quarter>) -> Range<usize> {
    let versions = &world.question.tariffs[agreement.tariff].versions;
    let clock = world.clock(agreement.zone);
    let Some(first) = versions.first().map(|version| clock.start(version.from)) else { return 0..0 };
    let place =
        |quarter: Quarter| usize::try_from(quarter.clamp(range.start, range.end) - range.start).unwrap_or(0);
    let (from, to) = (place(agreement.held.start.max(first)), place(agreement.held.end));
    from..to.max(from)
}
