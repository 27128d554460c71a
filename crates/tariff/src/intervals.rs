//! A range cut into pieces within which only sums are needed: at buckets, at the months of an agreement, and wherever
//! somebody looks.

use std::ops::Range;

use crate::clock::{Clock, Quarter};
use crate::day::{self, Day};
use crate::model::Resolution;

/// A piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) span: Range<Quarter>,
    /// The bucket that it lies in; none before the range.
    pub(crate) bucket: Option<usize>,
    /// The first day of the agreement's month.
    pub(crate) month: Day,
}

/// The buckets of a range, cut in the home's zone and at the range.
pub(crate) fn buckets(range: &Range<Quarter>, resolution: Resolution, clock: &Clock) -> Vec<Range<Quarter>> {
    let locals = clock.slice(range.clone());
    let begins = |place: usize| {
        let (before, local) = (locals[place - 1], locals[place]);
        match resolution {
            Resolution::QuarterHour => true,
            Resolution::Hour => !local.is_with(before, 4),
            Resolution::Day => local.day != before.day,
            Resolution::Month => local.day != before.day && day::month(local.day) != day::month(before.day),
            Resolution::Total => false,
        }
    };
    let inner = (1..locals.len()).filter(|place| begins(*place));
    let mut edges = vec![range.start];
    edges.extend(inner.map(|place| range.start + i64::try_from(place).unwrap_or(0)));
    edges.push(range.end);
    edges.windows(2).map(|two| two[0]..two[1]).collect()
}

/// The pieces of `span`, which may begin before the buckets. `cuts` are in any order.
pub(crate) fn intervals(
    span: &Range<Quarter>,
    buckets: &[Range<Quarter>],
    clock: &Clock,
    mut cuts: Vec<Quarter>,
) -> Vec<Interval> {
    cuts.extend([span.start, span.end]);
    cuts.extend(buckets.iter().flat_map(|bucket| [bucket.start, bucket.end]));
    cuts.extend(months(span, clock).map(|month| clock.start(month)));
    cuts.retain(|cut| (span.start..=span.end).contains(cut));
    cuts.sort_unstable();
    cuts.dedup();
    let mut bucket = 0;
    let piece = |two: &[Quarter]| {
        while buckets.get(bucket).is_some_and(|bucket| bucket.end <= two[0]) {
            bucket += 1;
        }
        let lies_in = buckets.get(bucket).is_some_and(|bucket| bucket.start <= two[0]);
        Interval {
            span: two[0]..two[1],
            bucket: lies_in.then_some(bucket),
            month: day::month(clock.at(two[0]).day).start,
        }
    };
    cuts.windows(2).map(piece).collect()
}

/// The first days of the months that a span meets.
pub(crate) fn months(span: &Range<Quarter>, clock: &Clock) -> impl Iterator<Item = Day> {
    let last = clock.at(span.end - 1).day;
    let first = day::month(clock.at(span.start).day).start;
    std::iter::successors(Some(first), |month| Some(day::month(*month).end))
        .take_while(move |month| *month <= last)
}
