//! Where a partition is, and what the offset of a record means there. Pure.

use std::time::Instant;

use wattline_stream::Mark;

/// Where a partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The writer takes it on.
    Claiming,
    /// It is claimed again at this time.
    Waiting(Instant),
    /// The client must be moved to where this begins.
    Seeking(Wanted),
    /// Records are taken.
    Reading(Wanted),
}

/// What may come of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The next record to be stored.
    pub(super) next: i64,
    /// A record before it that shows first whether this is still the log that was read.
    pub(super) mark: Option<Mark>,
}

/// What an offset means for a partition that waits for `next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is the next.
    Next,
    /// It is stored already.
    Stored,
    /// It is the one that was stored: this is the log that was read.
    SameLog,
    /// It isn't the one that was stored: what was read is not in this log.
    AnotherLog,
    /// The client jumped back, which it does of its own accord only when it finds another log.
    Back,
    /// Nothing came for the offsets before it.
    Jump,
}

// === impl Wanted ===

impl Wanted {
    /// Where reading begins.
    pub(super) fn begin(self) -> i64 {
        self.mark.map_or(self.next, |mark| mark.offset)
    }

    /// What a record means here, with the time that Kafka gives for it.
    pub(super) fn arrival(self, offset: i64, at_ms: impl FnOnce() -> Option<i64>) -> Arrival {
        if offset >= self.next {
            return if offset == self.next { Arrival::Next } else { Arrival::Jump };
        }
        match self.mark {
            Some(mark) if offset == mark.offset && at_ms() == Some(mark.at_ms) => Arrival::SameLog,
            Some(mark) if offset == mark.offset => Arrival::AnotherLog,
            Some(mark) if offset > mark.offset => Arrival::Stored,
            _ => Arrival::Back,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_offset_has_its_meaning() {
        let mark = Some(Mark { offset: 3, at_ms: 70 });
        for (offset, at_ms, mark, expected) in [
            (5, 90, None, Arrival::Next),
            (6, 90, None, Arrival::Jump),
            (4, 80, None, Arrival::Back),
            (3, 70, mark, Arrival::SameLog),
            (3, 71, mark, Arrival::AnotherLog),
            (2, 70, mark, Arrival::Back),
            // A version that keeps no marks has gone on behind it.
            (4, 80, mark, Arrival::Stored),
            // The marked record was compacted away.
            (5, 90, mark, Arrival::Next),
            (6, 90, mark, Arrival::Jump),
        ] {
            let wanted = Wanted { next: 5, mark };
            assert_eq!(wanted.arrival(offset, || Some(at_ms)), expected, "{offset} of {wanted:?}");
        }
    }

    #[test]
    fn reading_begins_with_the_mark() {
        assert_eq!(Wanted { next: 5, mark: None }.begin(), 5);
        assert_eq!(Wanted { next: 5, mark: Some(Mark { offset: 3, at_ms: 7 }) }.begin(), 3);
    }
}
