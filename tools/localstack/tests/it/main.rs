//! What the local stack promises, against the real servers.

mod clients;
mod cluster;
mod databases;
mod identity;
mod leftovers;
mod parent_death;
mod placement;
mod ports;
mod proxy;
mod servers;
mod statements;

mod up;
