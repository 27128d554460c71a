//! What the consumer's thread and its writer say to each other.

use std::time::Duration;

use wattline_stream::{Assignment, Claim, Partition};

use crate::batch::Batch;

/// What the consumer's thread wants done, in this order.
#[derive(Debug)]
pub(crate) enum Work {
    /// Take these partitions on.
    Claim(Vec<Claim>),
    /// Write this.
    Write(Batch),
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The partition is ours: read from this offset on.
    Claimed(Claim, i64),
    /// Claim it again, after so long.
    Again(Partition, Assignment, Duration),
    /// Stored up to these offsets.
    Written(Vec<(Partition, i64)>),
}
