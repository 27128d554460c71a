//! Which meters a home has, what they are, and when.

use std::collections::BTreeMap;

use strum::{IntoStaticStr, VariantArray};

use crate::QUARTER_HOUR_US;

/// What a meter measures in its home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// What comes from the grid and goes there.
    Grid,
    /// Solar, wind.
    Production,
    /// A battery: charging is its import.
    Storage,
    /// A part of what the home uses.
    Load,
}

/// A meter's place in its home for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which meter.
    pub meter_id: String,
    /// What it measures.
    pub role: Role,
    /// The meter that it splits.
    pub parent: Option<String>,
    /// From this instant on, in µs; none: for ever.
    pub from_us: Option<i64>,
    /// Up to this instant, in µs; none: for ever.
    pub to_us: Option<i64>,
}

/// The meters of a home over time, free of contradictions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(Vec<Member>);

/// What can't be.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum HomeError {
    /// Quarter-hours are not cut.
    #[error("meter {0:?}: its time in the home begins or ends inside of a quarter-hour")]
    OffGrid(String),
    /// No time at all.
    #[error("meter {0:?}: its time in the home ends before it begins")]
    Empty(String),
    /// Two places at once.
    #[error("meter {0:?} has two places in the home at once")]
    Overlap(String),
    /// The parent is not there, or not all the time.
    #[error("meter {meter_id:?}: its parent {parent:?} is not a meter of the same role for all of its time")]
    Parent {
        /// Which meter.
        meter_id: String,
        /// Its parent.
        parent: String,
    },
    /// A meter that splits itself.
    #[error("meter {0:?} is a part of itself")]
    Cycle(String),
}

// === impl Role ===

impl Role {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The role of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|role| role.as_str() == word)
    }
}

// === impl Member ===

impl Member {
    /// Whether it holds at an instant.
    #[must_use]
    pub fn is_valid_at(&self, us: i64) -> bool {
        self.start_us() <= us && us < self.end_us()
    }

    fn start_us(&self) -> i64 {
        self.from_us.unwrap_or(i64::MIN)
    }

    fn end_us(&self) -> i64 {
        self.to_us.unwrap_or(i64::MAX)
    }

    fn meets(&self, other: &Self) -> bool {
        self.start_us() < other.end_us() && other.start_us() < self.end_us()
    }

    fn check_time(&self) -> Result<(), HomeError> {
        if [self.from_us, self.to_us].iter().flatten().any(|us| us.rem_euclid(QUARTER_HOUR_US) != 0) {
            return Err(HomeError::OffGrid(self.meter_id.clone()));
        }
        if self.start_us() >= self.end_us() {
            return Err(HomeError::Empty(self.meter_id.clone()));
        }
        Ok(())
    }
}

// === impl Members ===

impl Members {
    /// Checked: at most one place for a meter at any time, and a parent is there whenever its parts are.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn new(members: Vec<Member>) -> Result<Self, HomeError> {
        let mut of_meter: BTreeMap<&str, Vec<&Member>> = BTreeMap::new();
        for member in &members {
            member.check_time()?;
            let places = of_meter.entry(&member.meter_id).or_default();
            if places.iter().any(|place| place.meets(member)) {
                return Err(HomeError::Overlap(member.meter_id.clone()));
            }
            places.push(member);
        }
        for places in of_meter.values_mut() {
            places.sort_by_key(|place| place.start_us());
        }
        for member in &members {
            check_parent(member, &of_meter)?;
        }
        for member in &members {
            check_cycle(member, &of_meter)?;
        }
        Ok(Self(members))
    }

    /// All places, in the order in which they were given.
    #[must_use]
    pub fn all(&self) -> &[Member] {
        &self.0
    }

    /// Those that hold at an instant.
    pub fn at(&self, us: i64) -> impl Iterator<Item = &Member> {
        self.0.iter().filter(move |member| member.is_valid_at(us))
    }
}

/// The places of the parent, one after the other, must cover the member's time, all in its role.
fn check_parent(member: &Member, of_meter: &BTreeMap<&str, Vec<&Member>>) -> Result<(), HomeError> {
    let Some(parent) = &member.parent else { return Ok(()) };
    let mut covered_us = member.start_us();
    for place in of_meter.get(parent.as_str()).into_iter().flatten() {
        if place.start_us() <= covered_us && place.end_us() > covered_us && place.role == member.role {
            covered_us = place.end_us();
        }
    }
    if covered_us < member.end_us() {
        return Err(HomeError::Parent { meter_id: member.meter_id.clone(), parent: parent.clone() });
    }
    Ok(())
}

/// At each instant at which a place begins the way up must end.
fn check_cycle(member: &Member, of_meter: &BTreeMap<&str, Vec<&Member>>) -> Result<(), HomeError> {
    let starts = of_meter.values().flatten().map(|place| place.start_us());
    for at_us in starts.filter(|us| member.is_valid_at(*us)) {
        let mut place = member;
        for _ in 0..=of_meter.len() {
            let Some(parent) = &place.parent else { break };
            if *parent == member.meter_id {
                return Err(HomeError::Cycle(member.meter_id.clone()));
            }
            let places = of_meter.get(parent.as_str()).into_iter().flatten();
            let Some(above) = places.copied().find(|place| place.is_valid_at(at_us)) else { break };
            place = above;
        }
    }
    Ok(())
}
