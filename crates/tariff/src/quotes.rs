//! What a rate is in each quarter-hour.

use std::ops::Range;

use crate::clock::{Clock, Quarter};
use crate::day;
use crate::exact::Beyond;
use crate::flags::Flags;
use crate::model::{Average, Price, Spot};
use crate::series::{Series, Slot};

/// A price that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    /// In 10⁻⁹ per kWh.
    pub(crate) price: i64,
    pub(crate) flags: Flags,
    /// Of a dynamic rate, the newest that was used, in µs since 1970.
    pub(crate) published_us: Option<i64>,
}

/// Of consecutive quarter-hours.
#[derive(Debug)]
pub(crate) enum Quotes {
    Fixed(Quote),
    Dynamic(Vec<Option<Quote>>),
}

/// The price of one.
const UNIT: i128 = 1_000_000_000;

// === impl Quotes ===

impl Quotes {
    /// Over a part of the clock's window.
    pub(crate) fn new(
        price: &Price,
        all: &[Series],
        clock: &Clock,
        span: Range<Quarter>,
    ) -> Result<Self, Beyond> {
        match price {
            Price::Fixed(price) => {
                Ok(Self::Fixed(Quote { price: *price, flags: Flags::NONE, published_us: None }))
            }
            Price::Spot(spot) => dynamic(spot, &all[spot.series], clock, span).map(Self::Dynamic),
        }
    }

    /// By the place in the span.
    pub(crate) fn at(&self, place: usize) -> Option<Quote> {
        match self {
            Self::Fixed(quote) => Some(*quote),
            Self::Dynamic(quotes) => quotes[place],
        }
    }
}

fn dynamic(
    spot: &Spot,
    series: &Series,
    clock: &Clock,
    span: Range<Quarter>,
) -> Result<Vec<Option<Quote>>, Beyond> {
    let mut quotes = Vec::with_capacity(usize::try_from(span.end - span.start).unwrap_or(0));
    let mut quarter = span.start;
    while quarter < span.end {
        let group = group(spot.average, clock, quarter);
        let quote = mean(spot, series, &group)?;
        let end = group.end.min(span.end).max(quarter + 1);
        quotes.extend((quarter..end).map(|_| quote));
        quarter = end;
    }
    Ok(quotes)
}

/// The quarter-hours whose mean is the price.
fn group(average: Average, clock: &Clock, quarter: Quarter) -> Range<Quarter> {
    let local = clock.at(quarter);
    match average {
        Average::QuarterHour => quarter..quarter + 1,
        Average::Hour => {
            let is_with = |other: &Quarter| clock.at(*other).is_with(local, 4);
            let first = (quarter - 3..quarter).find(is_with).unwrap_or(quarter);
            let last = (quarter + 1..quarter + 4).rev().find(is_with).unwrap_or(quarter);
            first..last + 1
        }
        Average::Day => clock.span(&(local.day..local.day + 1)),
        Average::Month => clock.span(&day::month(local.day)),
    }
}

fn mean(spot: &Spot, series: &Series, group: &Range<Quarter>) -> Result<Option<Quote>, Beyond> {
    let (slot, count, sum) = series.sum(group.clone(), spot.first);
    let is_whole = count == group.end - group.start;
    let Some(slot) = slot.filter(|_| is_whole || spot.average == Average::Month) else { return Ok(None) };
    let price = effective(spot, sum, count.into())?;
    Ok(Some(Quote { price, flags: flags(slot, is_whole), published_us: Some(slot.published_us) }))
}

fn flags(slot: Slot, is_whole: bool) -> Flags {
    let estimated = if slot.is_estimate { Flags::ESTIMATED_PRICE } else { Flags::NONE };
    estimated | if is_whole { Flags::NONE } else { Flags::PROVISIONAL }
}

/// min(max, max(min, factor × s + add)), rounded once; bounds are on the grid, so they may be applied after it.
fn effective(spot: &Spot, sum: i128, count: i128) -> Result<i64, Beyond> {
    let above = spot.above.map_or(sum, |above| (sum - i128::from(above) * count).max(0));
    let den = count * UNIT;
    let num = i128::from(spot.factor) * above + i128::from(spot.add) * den;
    let price = i64::try_from((2 * num + den).div_euclid(2 * den)).map_err(|_| Beyond)?;
    let price = spot.min.map_or(price, |min| price.max(min));
    Ok(spot.max.map_or(price, |max| price.min(max)))
}
