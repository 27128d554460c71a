//! Energy series: stored quarter-hours as buckets of an interval in a time zone. Pure; `store` brings the rows.

mod grid;
mod sum;

pub use grid::{Grid, GridError, Interval, Slot};
pub use sum::{Amount, Bucket, Direction, Quarter, series, total};
