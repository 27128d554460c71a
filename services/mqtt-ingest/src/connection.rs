//! The broker's side: one connection after the other, and what belongs to each.
//!
//! The packets are those of the client library's codec; the loop around them is our own (`wire`), for three promises
//! that the library's does not keep: acknowledgements that Kafka confirmed together leave by one write, a connection
//! that brings nothing is found whatever this side sends, and nothing that was asked on one connection is asked again on
//! the next (`docs/decisions/0009-a-loop-of-our-own-over-the-codec.md`).

mod copies;
mod dial;
mod keep_alive;
mod loss;
mod options;
mod outbox;
mod rebirth;
mod session;
mod subscriptions;
mod watchdog;
mod wire;

pub use loss::{Cause, Loss};
pub use outbox::{Outbox, Unsent};
pub use session::{Event, Session};
pub use subscriptions::Subscriptions;

pub(crate) use rebirth::Rebirth;
pub(crate) use watchdog::Watchdog;
