//! Configuration → which family takes a topic, which meter a reading is of, which instant it has, and what a message is:
//! readings, nothing to store, or a refusal. Pure: no I/O, no clock, no panic.
//!
//! [`Judge::decide`] is the whole way of one message: [`Routes::find`] gives its route, the family of the route makes
//! drafts of it (`wattline-formats`), `resolve` makes readings of those, and the limits are checked.

pub mod answer;
mod clocks;
mod filter;
mod input;
mod judge;
mod memory;
mod resolve;
mod route;
mod settings;
mod template;
mod timing;
mod trie;

#[cfg(test)]
mod declarative_tests;
#[cfg(test)]
mod document;
#[cfg(test)]
mod payload_tests;
#[cfg(test)]
mod wattline_json_tests;

pub use clocks::{Clock, Clocks};
pub use filter::{check_filter, covers, matches, overlap};
pub use input::Input;
pub use judge::{Decoded, Judge, PAYLOAD_BYTES_MAX};
pub use memory::Memory;
pub use route::{ALL_FAMILIES, Route, Routes};
pub use settings::{RouteSettings, Sign};
pub use timing::{TimePolicy, Timing};
