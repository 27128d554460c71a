//! What a letter becomes when it is decoded again, and what became of it once Kafka has answered.

use wattline_reading::Reading;
use wattline_reading::limits::Reason;

/// What a letter becomes.
#[derive(Clone, Debug, PartialEq)]
pub enum Becomes {
    /// Readings.
    Readings(Vec<Reading>),
    /// A record that goes back as it is; the reading is what is in it.
    Record(Reading),
    /// Nothing to store.
    Ignored(&'static str),
    /// Still refused.
    Refused(Refused),
}

/// Why a letter stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The word.
    pub reason: Reason,
    /// What is wrong, for a person.
    pub detail: String,
    /// The filter of the route that takes it today.
    pub route: Option<String>,
}

/// What became of a letter.
pub(super) enum Fate {
    /// Kafka has so many readings of it.
    Replayed(i32),
    /// There is nothing to store in it.
    Ignored(&'static str),
    /// It stays.
    Refused(Refused),
}

// === impl Becomes ===

impl Becomes {
    /// The readings that would go to Kafka.
    #[must_use]
    pub fn readings(&self) -> &[Reading] {
        match self {
            Self::Readings(readings) => readings,
            Self::Record(reading) => std::slice::from_ref(reading),
            Self::Ignored(_) | Self::Refused(_) => &[],
        }
    }
}

// === impl Fate ===

impl From<Becomes> for Fate {
    fn from(becomes: Becomes) -> Self {
        match becomes {
            Becomes::Readings(readings) => Self::Replayed(i32::try_from(readings.len()).unwrap_or(i32::MAX)),
            Becomes::Record(_) => Self::Replayed(1),
            Becomes::Ignored(why) => Self::Ignored(why),
            Becomes::Refused(refused) => Self::Refused(refused),
        }
    }
}
