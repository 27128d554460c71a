//! The whole path, as a user sees it, against the real servers and the real services.
//!
//! What is *not* a failure: a message that is delivered twice (QoS 1 says so; it changes no row), a replica that is
//! not ready while a server is away, one that says why it can't go on and is started again (Kafka may fence a static member
//! when it restarts), and time: nothing here measures speed.

mod bad_database;
mod bad_input;
mod devices;
mod end_to_end;
mod endure;
mod failover;
mod faults;
mod first_reading;
mod fixture;
mod journey;
mod smoke;
mod statements;
mod stray;
mod tidy;
