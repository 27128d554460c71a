//! A home: what its meters say together.
//!
//! Everything is decided in each quarter-hour by who is valid in it, and then summed: on day totals a clamp hides
//! errors, on minutes the clocks of two meters disagree. A meter with a parent splits it and counts in nothing else.

mod balance;
mod tree;

pub use balance::{Balance, balances, sums};
pub use tree::{HomeError, Member, Members, Role};
