//! Fields that are not taken although they look like a meter's, each with the reason.

use std::borrow::Cow;

use strum::{EnumMessage, IntoStaticStr, VariantArray};

/// A field that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omission {
    /// The device's own word for it, or Wattline's where the value was read and is not plausible.
    pub field: Cow<'static, str>,
    /// Why.
    pub reason: Omitted,
}

/// Why a field was left out: a stable word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumMessage, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Omitted {
    /// A secondary measure beyond its bounds (`[limits]`); the field is Wattline's own name.
    Implausible,
    /// A value that is no number, or more than any register holds.
    Unreadable,
    /// A counter of a day, month, charge or period, not the register.
    DayCounter,
    /// Apparent power or energy (VA, VAh).
    ApparentPower,
    /// Reactive power or energy (var, varh).
    ReactivePower,
    /// One tariff or one phase of a split register.
    PartialRegister,
    /// A declared sum or difference (`sum`, `minus`) of which a part has no value.
    PartMissing,
    /// Import or export alone says 0: the other direction may be more.
    OneDirection,
    /// Neither the device nor the route (`energy_unit`, `power_unit`, `current_unit`) says in which unit.
    UnitUnknown,
    /// It looks like a measure, but the family doesn't know it, or not each word of it: an outage's count is no power.
    UnknownName,
    /// It may mean two things, or another field of the same meaning says something else, and is as good.
    Ambiguous,
    /// The direct-current side of an inverter.
    DcSide,
    /// A sum over several devices, each of which is a meter of its own, or over time.
    Aggregate,
    /// A voltage, current or frequency of something that has neither power nor energy: a battery, or a reference.
    NoMeter,
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
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// What it means, for the documents: the words above.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.get_documentation().unwrap_or_default()
    }
}
