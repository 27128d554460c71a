//! Fields that are not taken although they look like a meter's, each with the reason.

use std::borrow::Cow;

/// A field that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omission {
    /// The device's own word for it, or Wattline's where the value was read and is not plausible.
    pub field: Cow<'static, str>,
    /// Why.
    pub reason: Omitted,
}

/// Why a field was left out: a stable word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Omitted {
    /// A secondary measure beyond its bounds. Only of what was read: its field is Wattline's own name, which metrics carry.
    Implausible,
    /// A value that is no number, or more than any register holds.
    Unreadable,
    /// A counter of a day, month, charge or period, not the register.
    DayCounter,
    /// Apparent power or energy.
    ApparentPower,
    /// Reactive power or energy.
    ReactivePower,
    /// One tariff or one phase of a split register.
    PartialRegister,
    /// A declared sum or difference of which a part has no value.
    PartMissing,
    /// Import or export alone says 0: the other direction may be more.
    OneDirection,
    /// The device doesn't say in which unit.
    UnitUnknown,
    /// It looks like a measure, and its name has a word that is not known: an outage's count is no power.
    UnknownName,
    /// Another field of the same meaning says something else, and is as good.
    Ambiguous,
    /// The direct-current side of an inverter.
    DcSide,
    /// A sum over several devices, each of which is a meter of its own.
    Aggregate,
}

// === impl Omission ===

impl Omission {
    /// A field and why; its name is cut to 64 bytes.
    #[must_use]
    pub fn new(field: &str, reason: Omitted) -> Self {
        const BYTES_MAX: usize = 64;
        let end = (0..=field.len().min(BYTES_MAX)).rev().find(|end| field.is_char_boundary(*end));
        Self { field: Cow::Owned(field[..end.unwrap_or(0)].to_owned()), reason }
    }
}

// === impl Omitted ===

impl Omitted {
    /// Every reason, in the order of the declaration.
    pub const ALL: [Self; 13] = [
        Self::Implausible,
        Self::Unreadable,
        Self::DayCounter,
        Self::ApparentPower,
        Self::ReactivePower,
        Self::PartialRegister,
        Self::PartMissing,
        Self::OneDirection,
        Self::UnitUnknown,
        Self::UnknownName,
        Self::Ambiguous,
        Self::DcSide,
        Self::Aggregate,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Implausible => "implausible",
            Self::Unreadable => "unreadable",
            Self::DayCounter => "day_counter",
            Self::ApparentPower => "apparent_power",
            Self::ReactivePower => "reactive_power",
            Self::PartialRegister => "partial_register",
            Self::PartMissing => "part_missing",
            Self::OneDirection => "one_direction",
            Self::UnitUnknown => "unit_unknown",
            Self::UnknownName => "unknown_name",
            Self::Ambiguous => "ambiguous",
            Self::DcSide => "dc_side",
            Self::Aggregate => "aggregate",
        }
    }

    /// What it means, for the documents.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Implausible => "a secondary measure beyond its bounds (`[limits]`)",
            Self::Unreadable => "a value that is no number, or more than any register holds",
            Self::DayCounter => "a counter of a day, month, charge or period, not the register",
            Self::ApparentPower => "apparent power or energy (VA, VAh)",
            Self::ReactivePower => "reactive power or energy (var, varh)",
            Self::PartialRegister => "one tariff or one phase of a split register",
            Self::PartMissing => "a declared sum or difference (`sum`, `minus`) of which a part has no value",
            Self::OneDirection => "import or export alone says 0: the other direction may be more",
            Self::UnitUnknown => {
                "the device doesn't say in which unit, nor does the route (`energy_unit`, `power_unit`, `current_unit`)"
            }
            Self::UnknownName => {
                "it looks like a measure, and its name has a word that is not known: an outage's count is no power"
            }
            Self::Ambiguous => "another field of the same meaning says something else, and is as good",
            Self::DcSide => "the direct-current side of an inverter",
            Self::Aggregate => "a sum over devices, each of which is a meter of its own",
        }
    }
}
