//! The operator's commands against real servers.

mod migrate;
mod topics;
