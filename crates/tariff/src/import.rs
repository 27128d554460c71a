//! Prices as others publish them: CSV, JSON by pointers, ENTSO-E's documents. Text in, prices on the grid out.

mod csv;
mod entsoe;
mod json;

use crate::clock::Quarter;
use crate::fields::{instant_us, quarter};
use crate::number::{Decimal, PRICE_PLACES};
use crate::refusal::Code;

pub(crate) use csv::csv;
pub(crate) use entsoe::entsoe;
pub(crate) use json::{Paths, Time, json};

/// A price and the quarter-hours that it holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Priced {
    pub(crate) start: Quarter,
    pub(crate) quarters: i64,
    /// In 10⁻⁹ per kWh.
    pub(crate) price: i64,
}

/// What a text can't be taken for, and the row, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) row: usize,
}

/// What prices are per, and what they are multiplied by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit {
    pub(crate) scale: Decimal,
    pub(crate) per_mwh: bool,
}

// === impl Unit ===

impl Unit {
    /// In 10⁻⁹ per kWh, more decimals rounded once.
    fn price(self, text: &str) -> Result<i64, Code> {
        let scaled = Decimal::parse(text.trim()).and_then(|price| price.times(self.scale));
        let per_kwh = scaled.map(|price| if self.per_mwh { price.thousandth() } else { price });
        let price = per_kwh.and_then(|price| price.rounded(PRICE_PLACES)).map_err(|_| Code::BadNumber)?;
        // A million per kWh.
        if price.abs() <= 1_000_000_000_000_000 { Ok(price) } else { Err(Code::BadNumber) }
    }
}

/// Of two instants in µs; without an end from the width, in minutes, that all have.
fn span(start_us: i64, end_us: Option<i64>, minutes: Option<i64>) -> Result<(Quarter, i64), Code> {
    let start = quarter(start_us).ok_or(Code::OffGrid)?;
    let quarters = match (end_us, minutes) {
        (Some(end_us), _) => quarter(end_us).ok_or(Code::OffGrid)? - start,
        (None, Some(minutes)) => minutes / 15,
        (None, None) => return Err(Code::StepUnknown),
    };
    if matches!(quarters, 1 | 2 | 4) { Ok((start, quarters)) } else { Err(Code::StepUnknown) }
}

fn time(text: &str) -> Result<i64, Code> {
    instant_us(text)
}

/// Rows of one publication neither contradict nor overlap each other.
fn checked(mut rows: Vec<(usize, Priced)>) -> Result<Vec<Priced>, Problem> {
    rows.sort_by_key(|(_, priced)| (priced.start, priced.quarters));
    rows.dedup_by(|(_, one), (_, two)| one == two);
    for two in rows.windows(2) {
        let ((_, one), (row, next)) = (two[0], two[1]);
        if (one.start, one.quarters) == (next.start, next.quarters) {
            return Err(Problem { code: Code::PublicationConflict, row });
        }
        if one.start + one.quarters > next.start {
            return Err(Problem { code: Code::Overlap, row });
        }
    }
    if rows.is_empty() {
        return Err(Problem { code: Code::NoData, row: 0 });
    }
    Ok(rows.into_iter().map(|(_, priced)| priced).collect())
}
