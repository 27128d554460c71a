//! A consumer owns a Kafka partition through its row in the table `stream_offset`.
//!
//! In the order of a partition's life:
//!
//! 1. [`rebalance`]: the group gives it, paused; [`assignment`] numbers each time that it does;
//! 2. [`ask`]: what Kafka says of it: which topic it really is, where its records begin and end;
//! 3. [`offsets`]: the row becomes ours ([`Offsets::take`]); each transaction locks it and compares what it finds with what
//!    it left there ([`Offsets::lock`], [`Offsets::share`]), and moves it on ([`Offsets::advance`]);
//! 4. [`unblock`]: a frozen twin that holds the row is ended;
//! 5. [`watch`]: whether the topics are still the same ones; [`silence`]: whether a partition delivers what it holds;
//! 6. [`leave()`]: the member's end, whatever the client library makes of it.
//!
//! What a consumer writes besides, it writes in the same transaction: the offset is the truth, Kafka's own group offsets
//! are a hint for lag tools.

pub mod ask;
pub mod assignment;
pub mod id;
mod leave;
pub mod offsets;
pub mod rebalance;
mod refusal;
pub mod silence;
mod statements;
pub mod unblock;
pub mod watch;

pub use ask::{Asking, Claim, Present};
pub use assignment::{Assignment, Assignments};
pub use id::{Mark, Partition, Stream, Topics};
pub use leave::leave;
pub use offsets::{Error, Offsets, Span, Taken};
pub use rebalance::{Listener, Rebalances};
pub use silence::{Fetching, Silence};
pub use statements::Statements;
pub use unblock::Blockers;

/// The consumers, as column `consumer` names them.
pub mod consumer {
    /// Stores records as rows.
    pub const SINK: &str = "timescale-sink";
    /// Computes rollups from the rows.
    pub const AGGREGATOR: &str = "aggregator";
}
