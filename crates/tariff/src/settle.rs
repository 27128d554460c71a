//! From exact sums to what is shown: each line's running sum of the local month, rounded before and after.

use crate::course::Course;
use crate::exact::{Beyond, Exact, Rounding};
use crate::flags::Flags;
use crate::line::Line;
use crate::model::{Component, Tariff};

/// 10⁻¹⁵ in 10⁻⁶.
const MICRO: i128 = 1_000_000_000;
/// VAT of 100 %.
const WHOLE: i128 = 1_000_000;

/// What a line shows in a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// In 10⁻⁶ of the currency, VAT in it.
    pub(crate) amount: Option<i128>,
    /// In 10⁻⁶ of the currency.
    pub(crate) vat: Option<i128>,
    pub(crate) quantity_mwh: Option<i64>,
    pub(crate) flags: Flags,
    pub(crate) is_present: bool,
}

/// How an exact amount in a tariff's basis becomes a gross one and the VAT in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vat {
    gross: (i128, i128),
    vat: (i128, i128),
}

// === impl Vat ===

impl Vat {
    pub(crate) fn new(tariff: &Tariff, component: &Component) -> Self {
        let rate = i128::from(component.vat);
        if tariff.vat_included {
            Self { gross: (1, 1), vat: (rate, WHOLE + rate) }
        } else {
            Self { gross: (WHOLE + rate, WHOLE), vat: (rate, WHOLE) }
        }
        .reduced()
    }

    fn reduced(self) -> Self {
        let reduce = |(num, den): (i128, i128)| {
            let common = crate::exact::gcd(num, den);
            (num / common, den / common)
        };
        Self { gross: reduce(self.gross), vat: reduce(self.vat) }
    }

    /// Gross, exact.
    pub(crate) fn gross(self, base: Exact) -> Result<Exact, Beyond> {
        base.times(self.gross.0, self.gross.1)
    }

    /// Gross and VAT in 10⁻⁶, by floor(x + ½).
    pub(crate) fn rounded(self, base: Exact) -> Result<(i128, i128), Beyond> {
        let rounded = |(up, down): (i128, i128)| base.rounded(up, down * MICRO, Rounding::Floor);
        Ok((rounded(self.gross)?, rounded(self.vat)?))
    }
}

// === impl Shown ===

impl Shown {
    pub(crate) fn add(&mut self, other: &Self) {
        let sum = |one: Option<i128>, two: Option<i128>| match (one, two) {
            (Some(one), Some(two)) => Some(one + two),
            (one, two) => one.or(two),
        };
        self.amount = sum(self.amount, other.amount);
        self.vat = sum(self.vat, other.vat);
        self.quantity_mwh = match (self.quantity_mwh, other.quantity_mwh) {
            (Some(one), Some(two)) => Some(one + two),
            (one, two) => one.or(two),
        };
        self.flags |= other.flags;
        self.is_present |= other.is_present;
    }
}

/// What a line shows, by interval: only those in the range matter to anybody.
pub(crate) fn settle(course: &Course<'_>, line: &Line) -> Result<Vec<(usize, Shown)>, Beyond> {
    let vat = Vat::new(course.tariff, course.component(line));
    let mut shown = Vec::new();
    let (mut month, mut sum, mut before) = (None, Exact::ZERO, (0, 0));
    for (place, cell) in line.cells() {
        let interval = &course.intervals[place];
        if month != Some(interval.month) {
            (month, sum, before) = (Some(interval.month), Exact::ZERO, (0, 0));
        }
        if !cell.is_present {
            continue;
        }
        sum = if sum.is_zero() { cell.base } else { sum.plus(cell.base)? };
        let after = vat.rounded(sum)?;
        let known = cell.has_amount.then_some((after.0 - before.0, after.1 - before.1));
        before = after;
        shown.push((
            place,
            Shown {
                amount: known.map(|(amount, _)| amount),
                vat: known.map(|(_, vat)| vat),
                quantity_mwh: cell.has_energy.then_some(cell.quantity_mwh),
                flags: cell.flags,
                is_present: true,
            },
        ));
    }
    Ok(shown)
}
