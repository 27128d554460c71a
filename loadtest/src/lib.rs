//! Simulated meters and the load test.
//!
//! A [`plan::Plan`] decides everything from a seed: each home's physics ([`physics`]), each message ([`fleet`]) and
//! each outcome that must come of it ([`expected`]). [`publish`] sends it at QoS 1; [`verify`] makes the same readings
//! a second time and compares them with the table; [`books`] reads both equations of the promise that every message
//! is accounted for. Nothing is remembered in between but the plan, so a million messages cost no more memory than ten.

pub mod ask;
pub mod books;
pub mod collector;
pub mod compare;
pub mod conditions;
pub mod costs;
pub mod database;
pub mod dialect;
pub mod endure;
pub mod expected;
pub mod fill;
pub mod fleet;
pub mod freeze;
pub mod gap;
pub mod idle;
pub mod latency;
pub mod load;
pub mod message;
pub mod mixed;
pub mod mqtt;
pub mod pace;
pub mod physics;
pub mod plan;
pub mod probe;
pub mod processes;
pub mod publish;
pub mod report;
pub mod rise;
pub mod run;
mod said;
pub mod sample;
pub mod scenario;
pub mod sink;
mod stream;
pub mod street;
pub mod target;
pub mod verify;
pub mod window;
