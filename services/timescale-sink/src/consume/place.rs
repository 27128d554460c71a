//! Where a partition is, and what the offset of a record means there. Pure.

use std::time::Instant;

/// Where a partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The writer takes it on.
    Claiming,
    /// It is claimed again at this time.
    Waiting(Instant),
    /// The client must be moved to this offset.
    Seeking(i64),
    /// Records are taken; this is the next. `first`: none was taken yet since the seek.
    Reading { next: i64, first: bool },
}

/// What an offset means for a partition that waits for `next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is the next.
    Next,
    /// It is stored already.
    Stored,
    /// The client jumped back, which it does of its own accord only when it finds another log.
    Back,
    /// Nothing came for the offsets before it.
    Jump,
}

/// What this offset means for a partition that waits for `next`.
pub(super) fn arrival(offset: i64, next: i64, first: bool) -> Arrival {
    match offset.cmp(&next) {
        std::cmp::Ordering::Equal => Arrival::Next,
        std::cmp::Ordering::Less if first => Arrival::Stored,
        std::cmp::Ordering::Less => Arrival::Back,
        std::cmp::Ordering::Greater => Arrival::Jump,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_offset_has_its_meaning() {
        for (offset, next, first, expected) in [
            (5, 5, true, Arrival::Next),
            (5, 5, false, Arrival::Next),
            (4, 5, true, Arrival::Stored),
            (4, 5, false, Arrival::Back),
            (6, 5, true, Arrival::Jump),
            (6, 5, false, Arrival::Jump),
        ] {
            assert_eq!(arrival(offset, next, first), expected);
        }
    }
}
