//! What the clients of servers promise, against the real servers.

mod rows;
mod troubles;
