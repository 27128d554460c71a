//! What mqtt-ingest promises, against real Mosquitto and Kafka. One promise per file.

mod acks;
mod bad_start;
mod brokers;
mod check;
mod copies;
mod dead_letters;
mod fixture;
mod kafka_away;
mod kafka_refuses;
mod memory;
mod odd_brokers;
mod publisher;
mod qos0;
mod readings;
mod reconnect;
mod shutdown;
mod sparkplug;
mod stale_ack;
mod subscriptions;
mod taken_over;
mod tls;
mod watchdog;
