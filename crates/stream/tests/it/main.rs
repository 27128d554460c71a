//! What this crate promises, against a real Kafka and a real database: a partition has one owner, whoever lost it can't
//! write, and what a topic no longer is stops it with a cure that works.

mod claims;
mod kafka_says;
mod places;
mod rebalance;
mod scene;
mod unblock;
mod watch;
