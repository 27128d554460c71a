//! What the consumer's thread and its writer say to each other.

use std::time::Duration;

use wattline_stream::{Assignment, Claim, Mark, Partition};

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
    /// The partition is ours: read from this offset on, and look before whether this record is still there.
    Claimed(Claim, i64, Option<Mark>),
    /// Claim it again, after so long.
    Again(Partition, Assignment, Duration),
    /// Stored up to these offsets.
    Written(Vec<(Partition, i64)>),
}
