//! What is special about a bucket's energy: a set of flags.

use std::fmt;

use strum::{IntoStaticStr, VariantArray};

/// One remark about a bucket, by the word of wire, database, metrics and APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
#[repr(u8)]
pub enum Flag {
    /// Part of it lies in an interval that is too long for this bucket's width; the energy is shared evenly.
    Gap,
    /// The register stood still and then jumped: the difference is spread back.
    Spread,
    /// Shared out in proportion to power.
    Shaped,
    /// From power, for want of a register.
    Power,
    /// The register fell a little.
    Dip,
    /// A reading of it was ignored.
    Glitch,
    /// The register began again at zero.
    Reset,
    /// The register rolled over.
    Rollover,
    /// The register fell and nobody knows why: another meter, most likely. Unknown.
    Swap,
    /// The register rose by more than can flow. Unknown.
    Implausible,
    /// Entered by an import.
    Imported,
    /// Stored by a later version, with a word that this one doesn't know. Never computed.
    Other,
}

/// A set of [`Flag`]s.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Quality(u16);

// === impl Flag ===

impl Flag {
    /// Every flag, in the order in which they are listed everywhere.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The flag of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|flag| flag.as_str() == word)
    }
}

// === impl Quality ===

impl Quality {
    /// No remark.
    pub const NONE: Self = Self(0);

    /// With this flag too.
    #[must_use]
    pub const fn with(self, flag: Flag) -> Self {
        Self(self.0 | 1 << flag as u8)
    }

    /// Without this flag.
    #[must_use]
    pub const fn without(self, flag: Flag) -> Self {
        Self(self.0 & !(1 << flag as u8))
    }

    /// The flags of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the flag is in it.
    #[must_use]
    pub const fn has(self, flag: Flag) -> bool {
        self.0 & 1 << flag as u8 != 0
    }

    /// Whether part of the energy is no measured difference of a register.
    #[must_use]
    pub const fn is_estimated(self) -> bool {
        self.has(Flag::Gap) || self.has(Flag::Power) || self.has(Flag::Implausible)
    }

    /// Whether there is no remark.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its flags, in the order of [`Flag::ALL`].
    pub fn flags(self) -> impl Iterator<Item = Flag> {
        Flag::ALL.iter().copied().filter(move |flag| self.has(*flag))
    }
}

impl FromIterator<Flag> for Quality {
    fn from_iter<I: IntoIterator<Item = Flag>>(flags: I) -> Self {
        flags.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Quality {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.flags().map(Flag::as_str)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_flags() {
        for &flag in Flag::ALL {
            assert_eq!(Flag::from_word(flag.as_str()), Some(flag));
            assert_eq!(Quality::NONE.with(flag).flags().collect::<Vec<_>>(), [flag]);
            assert!(Quality::NONE.with(flag).without(flag).is_empty());
            assert!(!Flag::ALL.iter().copied().collect::<Quality>().without(flag).has(flag));
        }
        assert_eq!(Flag::from_word("fine"), None);
        assert_eq!(Flag::ALL.iter().copied().collect::<Quality>().flags().count(), Flag::ALL.len());
    }

    #[test]
    fn what_was_measured_is_not_estimated() {
        let estimated: Vec<Flag> =
            Flag::ALL.iter().copied().filter(|flag| Quality::NONE.with(*flag).is_estimated()).collect();
        assert_eq!(estimated, [Flag::Gap, Flag::Power, Flag::Implausible]);
    }
}
