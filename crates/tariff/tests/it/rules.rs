//! One test or more for each rule, named after it: C1 to C25.

mod components;
mod counters;
mod derived;
mod numbers;
mod others;
mod prices;
mod refused;
mod unknown;
