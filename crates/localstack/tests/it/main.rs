//! What the local stack promises, against the real servers.

mod servers;
