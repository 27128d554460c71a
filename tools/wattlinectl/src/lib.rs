//! The operator's commands, as a library that tests and the local stack call too.

mod arguments;
pub mod audit;
pub mod cost;
pub mod dead_letters;
pub mod decode;
pub mod energy;
pub mod migrate;
pub mod offsets;
pub mod patience;
mod print;
pub mod smoke;
pub mod topics;
