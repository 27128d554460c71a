//! What has been read: it can't be wrong any more. Names have become places in lists, decimals whole numbers.

use std::ops::Range;

use chrono_tz::Tz;

use crate::clock::Quarter;
use crate::day::Day;
use crate::exact::Rounding;
use crate::series::Series;

/// Everything that is asked, and all that it is about.
#[derive(Debug)]
pub struct Question {
    pub(crate) zone: Tz,
    pub(crate) range: Range<Quarter>,
    pub(crate) resolution: Resolution,
    /// Quarter-hours to take apart, in order.
    pub(crate) explain: Vec<Quarter>,
    pub(crate) bills: bool,
    pub(crate) meters: Vec<Meter>,
    pub(crate) calendars: Vec<Calendar>,
    pub(crate) series: Vec<Series>,
    pub(crate) tariffs: Vec<Tariff>,
    pub(crate) agreements: Vec<Agreement>,
    pub(crate) what_if: Vec<WhatIf>,
    pub(crate) shares: Vec<Share>,
    pub(crate) values: Vec<ValueKind>,
}

/// Width of the buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    QuarterHour,
    Hour,
    Day,
    Month,
    Total,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Grid,
    Production,
    Storage,
    Load,
}

#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) id: String,
    pub(crate) role: Role,
    pub(crate) runs: Vec<Run>,
}

/// A list of energies that repeats until the end. A direction without a list says nothing.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) span: Range<Quarter>,
    pub(crate) import_mwh: Vec<Option<i64>>,
    pub(crate) export_mwh: Vec<Option<i64>>,
    pub(crate) estimated: bool,
}

/// Dates with words, known within `days`.
#[derive(Debug)]
pub(crate) struct Calendar {
    pub(crate) days: Range<Day>,
    /// In order of the date.
    pub(crate) words: Vec<(Day, String)>,
}

#[derive(Debug)]
pub(crate) struct Tariff {
    pub(crate) kind: String,
    pub(crate) currency: String,
    pub(crate) vat_included: bool,
    pub(crate) digits: u32,
    pub(crate) rounding: Rounding,
    /// In order of `from`, no two of one date.
    pub(crate) versions: Vec<Version>,
}

#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) from: Day,
    pub(crate) components: Vec<Component>,
}

#[derive(Debug)]
pub(crate) struct Component {
    pub(crate) id: String,
    /// Millionths of the net price.
    pub(crate) vat: i64,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Energy(Energy),
    Standing {
        price: i64,
        times: i64,
        per: Per,
    },
    Once {
        day: Day,
        amount: i64,
    },
    /// 10⁻¹⁰ of the components at these places.
    Percent {
        part: i64,
        of: Vec<usize>,
    },
    Minimum {
        amount: i64,
        per: Per,
        of: Vec<String>,
    },
    Capacity(Box<Capacity>),
}

/// A calendar period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Per {
    Day,
    Month,
    Year,
    Billing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Import,
    Export,
    Net,
}

/// What the clock of a component is, and what its days are called.
#[derive(Debug, Default)]
pub(crate) struct Days {
    pub(crate) zone: Option<Tz>,
    pub(crate) calendar: Option<usize>,
    /// Quarter-hours after midnight.
    pub(crate) begin: u8,
}

#[derive(Debug)]
pub(crate) struct Energy {
    pub(crate) measure: Measure,
    pub(crate) days: Days,
    pub(crate) per: Per,
    pub(crate) prorate: bool,
    pub(crate) bands: Vec<Band>,
}

#[derive(Debug)]
pub(crate) struct Band {
    pub(crate) id: Option<String>,
    pub(crate) when: When,
    /// The last has no edge; a plain rate is the only one.
    pub(crate) tiers: Vec<Tier>,
    /// Of net metering below zero, 10⁻⁹ per kWh.
    pub(crate) surplus: Option<i64>,
}

/// All that are given must hold.
#[derive(Debug, Default)]
pub(crate) struct When {
    /// Quarter-hours of the clock, one bit each.
    pub(crate) hours: Option<u128>,
    /// Bit 0 is Monday.
    pub(crate) weekdays: Option<u8>,
    /// Inclusive, as 100 × month + day.
    pub(crate) dates: Option<Vec<(u16, u16)>>,
    pub(crate) kinds: Option<Vec<String>>,
    pub(crate) not_kinds: Option<Vec<String>>,
}

#[derive(Debug)]
pub(crate) struct Tier {
    pub(crate) edge: Option<Edge>,
    pub(crate) price: Price,
}

/// Up to where a tier goes, in µWh.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edge {
    Whole(i64),
    PerDay(i64),
}

#[derive(Debug)]
pub(crate) enum Price {
    /// 10⁻⁹ per kWh.
    Fixed(i64),
    Spot(Spot),
}

/// All prices in 10⁻⁹ of the currency per kWh, the factor in 10⁻⁹.
#[derive(Debug)]
pub(crate) struct Spot {
    pub(crate) series: usize,
    pub(crate) factor: i64,
    pub(crate) add: i64,
    pub(crate) above: Option<i64>,
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
    pub(crate) average: Average,
    /// The first publication instead of the newest.
    pub(crate) first: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Average {
    QuarterHour,
    Hour,
    Day,
    Month,
}

#[derive(Debug)]
pub(crate) struct Capacity {
    /// Width of a window: 1, 2 or 4 quarter-hours.
    pub(crate) quarters: u8,
    pub(crate) days: Days,
    pub(crate) when: When,
    /// With factors in 10⁻⁹.
    pub(crate) weights: Vec<(When, i64)>,
    pub(crate) highest: usize,
    pub(crate) distinct_days: bool,
    /// In 10⁻⁹ kW.
    pub(crate) min_kw: i64,
    pub(crate) average_months: u32,
    pub(crate) charge: Charge,
    pub(crate) per_year: bool,
    /// 10⁻⁹ per kWh.
    pub(crate) max_per_kwh: Option<i64>,
}

#[derive(Debug)]
pub(crate) enum Charge {
    /// 10⁻⁹ per kW.
    PerKw(i64),
    /// From so many 10⁻⁹ kW on, so much in 10⁻⁹. With `lower` an edge belongs to the step below it.
    Steps { steps: Vec<(i64, i64)>, lower: bool },
}

#[derive(Debug)]
pub(crate) struct Agreement {
    pub(crate) id: String,
    pub(crate) tariff: usize,
    pub(crate) from: Day,
    pub(crate) to: Option<Day>,
    pub(crate) zone: Tz,
    /// Places of grid meters.
    pub(crate) meters: Vec<usize>,
    /// First day and months of a billing period.
    pub(crate) billing: (Day, u32),
    /// Where it begins and ends: at its dates, or where the next of its kind begins.
    pub(crate) held: Range<Quarter>,
    /// The dates on which it holds, the last perhaps not to its end.
    pub(crate) days: Range<Day>,
}

#[derive(Debug)]
pub(crate) struct WhatIf {
    pub(crate) id: String,
    pub(crate) agreements: Vec<Agreement>,
}

#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) meter: usize,
    pub(crate) span: Range<Quarter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueKind {
    SelfUse,
    Battery,
}

// === impl Agreement ===

impl Agreement {
    /// The dates of the period around a date.
    pub(crate) fn period(&self, per: Per, day: Day) -> Range<Day> {
        match per {
            Per::Day => day..day + 1,
            Per::Month => crate::day::month(day),
            Per::Year => crate::day::year(day),
            Per::Billing => crate::day::billing(self.billing.0, self.billing.1, day),
        }
    }

    /// How many dates of a period it holds.
    pub(crate) fn days_held(&self, period: &Range<Day>) -> i64 {
        i64::from((period.end.min(self.days.end) - period.start.max(self.days.start)).max(0))
    }
}

// === impl Measure ===

impl Measure {
    /// What a home pays for a kWh at a price of 1.
    pub(crate) const fn sign(self) -> i64 {
        match self {
            Self::Import | Self::Net => 1,
            Self::Export => -1,
        }
    }
}

// === impl Energy ===

impl Energy {
    /// Whether what was used before has a say in what is paid.
    pub(crate) fn counts(&self) -> bool {
        self.measure == Measure::Net || self.bands.iter().any(|band| band.tiers.len() > 1)
    }
}
