//! What timescale-sink promises, against real Kafka and TimescaleDB. One module a promise; `world` is what they
//! share: one stack for all, topics and a database of its own for each test.

mod clocks;
mod damaged;
mod database_away;
mod exactly_once;
mod frozen_twin;
mod holes;
mod lost;
mod lost_tail;
mod missing_table;
mod outcomes;
mod rebalance;
mod recreated_topic;
mod refused_rows;
mod registry;
mod sibling;
mod statements;
mod stop;
mod thrown_out;
mod version_before;
mod world;
