//! What is to be said of an amount.

use std::ops::{BitOr, BitOrAssign};

/// A set of words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u16);

/// In order of the alphabet, as they are written.
const WORDS: [(Flags, &str); 8] = [
    (Flags::ESTIMATED, "estimated"),
    (Flags::ESTIMATED_PRICE, "estimated_price"),
    (Flags::IMBALANCE, "imbalance"),
    (Flags::NO_ENERGY, "no_energy"),
    (Flags::NO_PRICE, "no_price"),
    (Flags::NO_TARIFF, "no_tariff"),
    (Flags::OPEN, "open"),
    (Flags::PROVISIONAL, "provisional"),
];

// === impl Flags ===

impl Flags {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ESTIMATED: Self = Self(1);
    pub(crate) const ESTIMATED_PRICE: Self = Self(1 << 1);
    /// Loads took more than there was.
    pub(crate) const IMBALANCE: Self = Self(1 << 2);
    pub(crate) const NO_ENERGY: Self = Self(1 << 3);
    pub(crate) const NO_PRICE: Self = Self(1 << 4);
    pub(crate) const NO_TARIFF: Self = Self(1 << 5);
    /// The month isn't over.
    pub(crate) const OPEN: Self = Self(1 << 6);
    /// May change without any correction.
    pub(crate) const PROVISIONAL: Self = Self(1 << 7);

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn only(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn words(self) -> Vec<&'static str> {
        WORDS.iter().filter(|(flag, _)| self.has(*flag)).map(|(_, word)| *word).collect()
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
