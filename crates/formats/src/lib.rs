//! A message → drafts of readings. Pure: no I/O, no clock, no panic, and nothing of which meter it is.
//!
//! Each device family is a module of its own under [`family`], with its data in `test_data`; it makes [`draft`]s of a
//! [`message`], and `wattline-routes` makes readings of them, the same way for all.

pub mod declarative;
mod decoder;
pub mod draft;
pub mod family;
mod ignored;
pub mod json;
pub mod memory;
pub mod message;
mod multiplier;
mod nothing;
pub mod number;
pub mod obis;
pub mod omission;
mod options;
pub mod time;
mod topic;
pub mod unit;

pub use decoder::Decoder;
pub use family::{Decode, FAMILIES, Family};
pub use ignored::Ignored;
pub use memory::Memory;
pub use multiplier::Multiplier;
pub use omission::{Omission, Omitted};
pub use options::FamilyOptions;
pub use topic::Topic;
