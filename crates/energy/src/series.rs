//! Series for people: the stored quarter-hours as points of a width, in a time zone.
//!
//! [`ZoneGrid`] says which points a range has, [`points`] sums the quarter-hours of each, [`total`] sums the points.

mod grid;
mod sum;

pub use grid::{GridError, Interval, Slot, ZoneGrid};
pub use sum::{Point, PowerSum, Sum, points, total};
