//! What the fake nodes can't show: that the real services take the configuration that the charts render.

mod check;
mod fixture;
mod path;
mod proxy;
mod saved;
mod secured;
