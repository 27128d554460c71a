//! Messages with nothing to store that are no errors.

/// Why a message holds nothing to store although nothing is wrong with it: a stable word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// A register in a unit that neither the device nor the route says.
    UnitUnknown,
    /// Import or export alone, and it says 0: the other direction may be more.
    OneDirection,
    /// Another subscription of the group brings the message too, and that copy is decoded.
    SecondCopy,
}

// === impl Ignored ===

impl Ignored {
    /// Every one of them, in the order of the declaration.
    pub const ALL: [Self; 11] = [
        Self::RetainedWithoutTime,
        Self::Empty,
        Self::Status,
        Self::NoValue,
        Self::OtherQuantity,
        Self::PartialRegister,
        Self::NotTheMeter,
        Self::Command,
        Self::UnitUnknown,
        Self::OneDirection,
        Self::SecondCopy,
    ];

    /// The word that metrics carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetainedWithoutTime => "retained_without_time",
            Self::Empty => "empty",
            Self::Status => "status",
            Self::NoValue => "no_value",
            Self::OtherQuantity => "other_quantity",
            Self::PartialRegister => "partial_register",
            Self::NotTheMeter => "not_the_meter",
            Self::Command => "command",
            Self::UnitUnknown => "unit_unknown",
            Self::OneDirection => "one_direction",
            Self::SecondCopy => "second_copy",
        }
    }

    /// What it means, for the documents.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::RetainedWithoutTime => "retained, without a time of the device: it may be of any age",
            Self::Empty => "an empty payload: how MQTT clears a retained message",
            Self::Status => "a device's state, last will, discovery or settings",
            Self::NoValue => "a firmware's word for \"no value\", and nothing else",
            Self::OtherQuantity => "other quantities than a meter's: temperature, signal strength, a switch",
            Self::PartialRegister => "one tariff or phase of a split register, without the others",
            Self::NotTheMeter => "day counters, apparent power and the like, and nothing of the meter itself",
            Self::Command => "a command to a device, or its echo",
            Self::UnitUnknown => {
                "a register in a unit that neither the device nor the route (`energy_unit`) says"
            }
            Self::OneDirection => "import or export alone, and it says 0: the other direction may be more",
            Self::SecondCopy => "the broker brings it by another subscription too, and that copy is decoded",
        }
    }
}
