//! The operator's commands against real servers.

mod letters;
mod letters_found;
mod letters_purged;
mod letters_replayed;
mod migrate;
mod named;
mod patience;
mod statements;
mod topics;
