//! The whole system as the tests see it: the real servers, the real services as processes, and what can be done to
//! them. The stories are in `it/`.

pub mod backup;
pub mod clocks;
pub mod load;
mod lost_tail;
pub mod memory;
pub mod network;
pub mod ops;
pub mod rollups;
pub mod sites;
pub mod system;
