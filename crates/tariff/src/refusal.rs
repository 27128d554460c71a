//! Why an input is refused: a word for programs, the place, and the cure for people.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use strum::{IntoStaticStr, VariantArray};

/// One thing that is wrong with an input. Any of them refuses all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The word.
    pub code: Code,
    /// Where it stands, as in `tariffs[0].versions[1].vat`.
    pub place: String,
}

/// The words for what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[expect(missing_docs, reason = "each is explained for users by `Code::cure`")]
pub enum Code {
    AgreementEmpty,
    AgreementOverlap,
    AverageUnknown,
    BadDate,
    BadNumber,
    BadTime,
    BandsIncomplete,
    CalendarUnknown,
    ColumnMissing,
    ComponentDuplicate,
    ComponentUnknown,
    CurrencyMismatch,
    DayUnknown,
    FirstPositionMissing,
    FormatUnknown,
    HoursOffGrid,
    KindUnknown,
    MeasureUnknown,
    MeterUnknown,
    NettingNeedsFixedPrice,
    NoData,
    NoOffset,
    OfUnknown,
    OffGrid,
    Overlap,
    PathMissing,
    PeriodMissing,
    PeriodUnknown,
    PositionRange,
    PricePrecision,
    PublicationConflict,
    RangeEmpty,
    RateMissing,
    ResolutionUnknown,
    RevisionUnknown,
    RoleUnknown,
    RoundingUnknown,
    SeriesUnknown,
    StepUnknown,
    StepsOrder,
    TariffUnknown,
    TiersOrder,
    TiersUnbounded,
    TooLarge,
    UnitUnknown,
    UnknownKey,
    ValueUnknown,
    VatRange,
    VersionDuplicate,
    WindowUnknown,
    ZoneUnknown,
}

// === impl Refusal ===

impl Refusal {
    /// Of what stands at `place`.
    #[must_use]
    pub fn new(code: Code, place: impl Into<String>) -> Self {
        Self { code, place: place.into() }
    }
}

impl Serialize for Refusal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Refusal", 3)?;
        fields.serialize_field("code", <&str>::from(self.code))?;
        fields.serialize_field("where", &self.place)?;
        fields.serialize_field("cure", self.code.cure())?;
        fields.end()
    }
}

// === impl Code ===

impl Code {
    /// Each of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// What to do about it, in a sentence.
    #[must_use]
    pub const fn cure(self) -> &'static str {
        match self {
            Self::AgreementEmpty => "let the agreement end after it begins, or leave `to` away",
            Self::AgreementOverlap => "end one agreement where the next of its kind begins; give each an id",
            Self::AverageUnknown => "write PT15M, PT1H, P1D or P1M",
            Self::BadDate => "write a date as 2026-01-31, a range of month-days as 11-01/03-31",
            Self::BadNumber => "write a decimal number, as text: \"0.2953\"",
            Self::BadTime => "write an instant as 2026-01-31T12:00:00Z; explained ones lie in the range",
            Self::BandsIncomplete => "add a last band without `when`: every quarter-hour needs one",
            Self::CalendarUnknown => "add the calendar with its dates from-to, once; `kinds` need one",
            Self::ColumnMissing => "name the columns in the first line: start,end,price",
            Self::ComponentDuplicate => {
                "give each component of a version, and each of its bands, an id of its own"
            }
            Self::ComponentUnknown => "write energy, standing, once, percent, minimum or capacity",
            Self::CurrencyMismatch => {
                "use one currency for a tariff and the series that it takes prices from"
            }
            Self::DayUnknown => "write mon, tue, wed, thu, fri, sat or sun, or a range as mon-fri",
            Self::FirstPositionMissing => "ask for the document again: a curve A03 begins with position 1",
            Self::FormatUnknown => "write csv, json or entsoe, and text that is of that format",
            Self::HoursOffGrid => "write hours as 22:00-06:00, in quarter-hours",
            Self::KindUnknown => "tariffs are supply, grid, tax, export or other; prices final or estimate",
            Self::MeasureUnknown => "write import, export or net",
            Self::MeterUnknown => "name a meter of the file, of the right role, once",
            Self::NettingNeedsFixedPrice => {
                "give net metering a `price`: what was used later can't rewrite an hour"
            }
            Self::NoData => "ask for the document again: it holds no day-ahead prices of this sequence",
            Self::NoOffset => "add Z or the offset, as in 2026-01-31T12:00:00+01:00",
            Self::OfUnknown => "name components that stand earlier in the same version",
            Self::OffGrid => "begin and end on a quarter-hour of UTC",
            Self::Overlap => "let each price end where the next one begins",
            Self::PathMissing => {
                "write JSON pointers that lead to what is in the text: rows, start, end, price"
            }
            Self::PeriodMissing => "say per what the counter runs: `per` is day, month, year or billing",
            Self::PeriodUnknown => "write day, month, year or billing as it fits; 1, 2, 3, 4, 6 or 12 months",
            Self::PositionRange => "ask for the document again: a position lies outside of its period",
            Self::PricePrecision => "round the price to at most 9 decimals",
            Self::PublicationConflict => {
                "a publication has one value per slot: give the correction its own time"
            }
            Self::RangeEmpty => "let it end after it begins",
            Self::RateMissing => "write one of price, spot and tiers; net metering needs a surplus too",
            Self::ResolutionUnknown => "write 15m, 1h, 1d, 1mo or total; in documents PT15M, PT30M or PT60M",
            Self::RevisionUnknown => "write first, or leave it away for the newest; numbers are whole",
            Self::RoleUnknown => "write grid, production, storage or load",
            Self::RoundingUnknown => "write half_up, half_even or down, with 0 to 6 digits",
            Self::SeriesUnknown => "add prices of this series",
            Self::StepUnknown => "let a price hold for 15, 30 or 60 minutes",
            Self::StepsOrder => "let `from_kw` grow from step to step; without steps write price_per_kw",
            Self::TariffUnknown => "add the tariff that the agreement names, once",
            Self::TiersOrder => "let the edges grow from tier to tier",
            Self::TiersUnbounded => "leave `up_to_kwh` away in the last tier, and only there",
            Self::TooLarge => "ask for less at a time: the limits are in docs/tariffs.md",
            Self::UnitUnknown => "write kWh or MWh",
            Self::UnknownKey => "remove the key, or spell it as in docs/tariffs.md",
            Self::ValueUnknown => "write what docs/tariffs.md names for this key",
            Self::VatRange => "write VAT in per cent, from 0 to 100, with at most 4 decimals",
            Self::VersionDuplicate => "give versions different dates `from`, or say when each was `recorded`",
            Self::WindowUnknown => "write PT15M, PT30M or PT1H",
            Self::ZoneUnknown => "write a zone of the IANA database, as Europe/Berlin",
        }
    }
}
