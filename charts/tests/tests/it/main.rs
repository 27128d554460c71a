//! What the fake nodes can't show: that the real services take the configuration that the charts render.

mod alerts;
mod backup;
mod check;
mod endure;
mod fixture;
mod job;
mod path;
mod proxy;
mod saved;
mod secured;
