//! What timescale-sink promises, against real Kafka and TimescaleDB. One module a promise; `world` is what they
//! share: one stack for all, topics and a database of its own for each test.

mod outcomes;
mod world;
