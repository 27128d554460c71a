//! Messages with nothing to store that are no errors.

use strum::{EnumMessage, IntoStaticStr, VariantArray};

/// Why a message holds nothing to store although nothing is wrong with it: a stable word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumMessage, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Ignored {
    /// A retained message without the device's own time: it may be of any age.
    RetainedWithoutTime,
    /// An empty payload: how MQTT clears a retained message.
    Empty,
    /// A device's state, last will, discovery or settings.
    Status,
    /// A firmware's word for "no value", and nothing else.
    NoValue,
    /// Other quantities than a meter's: temperature, signal strength, a switch.
    OtherQuantity,
    /// One tariff or phase of a split register, without the others.
    PartialRegister,
    /// Day counters, apparent power and the like, and nothing of the meter itself.
    NotTheMeter,
    /// A command to a device, or its echo.
    Command,
    /// A register in a unit that neither the device nor the route (`energy_unit`) says.
    UnitUnknown,
    /// Import or export alone, and it says 0: the other direction may be more.
    OneDirection,
    /// The broker brings it by another subscription too, and that copy is decoded.
    SecondCopy,
}

// === impl Ignored ===

impl Ignored {
    /// Every one of them, in the order of the declaration.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word that metrics carry.
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
