//! What the fuzz targets share: how bytes become a message, what must hold of what is made of it, and how much memory
//! that may take.

mod memory;
mod message;

pub use memory::within_proportion;
pub use message::{Given, judges, received_at, sound};
