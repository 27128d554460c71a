//! What the consumer's thread and its writer say to each other.

use std::time::Duration;

use crate::batch::{Batch, Partition};

/// What the consumer's thread wants done, in this order.
#[derive(Debug)]
pub enum Work {
    /// Take these partitions on.
    Claim(Vec<Claim>),
    /// Write this.
    Write(Batch),
}

/// A partition to be taken on.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Which.
    pub partition: Partition,
    /// The assignment under which it will be read.
    pub epoch: u64,
    /// Where records begin, when none came for the offset that was asked for.
    pub hole_to: Option<i64>,
}

/// What became of it.
#[derive(Debug)]
pub enum Answer {
    /// The partition is ours: read from this offset on.
    Claimed(Claim, i64),
    /// Claim it again, after so long.
    Again(Partition, u64, Duration),
    /// Stored up to these offsets.
    Written(Vec<(Partition, i64)>),
}
