//! Where a subscription has come to: opaque to clients, and the same on every replica.

use std::fmt;
use std::hash::Hasher as _;
use std::str::FromStr;

use fnv::FnvHasher;
use wattline_service::TopicIdentity;

/// Up to which offset of which partitions a client has seen everything.
///
/// As text `1.IDENTITY.NEWEST.PARTITION-OFFSET[.PARTITION-OFFSET]…`: the form's version, a hash of cluster and
/// topic (offsets of another topic mean nothing), the newest event time that was emitted, and the positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Which topic of which cluster, as a hash of both ids.
    pub identity: u64,
    /// The newest event time that the client knows, in µs; older readings are marked late.
    pub newest_us: i64,
    /// Per partition the next offset that the client wants.
    pub positions: Vec<(i32, i64)>,
}

/// A text that is no cursor of ours.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a cursor of this API: pass one that a live event brought, unchanged")]
pub struct BadCursor;

const VERSION: &str = "1";
/// More partitions than any topic has: a bound on what a client can make us parse.
const POSITIONS_MAX: usize = 1024;

/// A short stand-in for a topic's identity: FNV-1a over both ids, the same in every process.
#[must_use]
pub(super) fn identity_hash(identity: &TopicIdentity) -> u64 {
    let mut hasher = FnvHasher::default();
    for bytes in [identity.cluster_id.as_bytes(), &[0], identity.topic_id.as_bytes()] {
        hasher.write(bytes);
    }
    hasher.finish()
}

// === impl Cursor ===

impl Cursor {
    /// The wanted offset of one partition.
    #[must_use]
    pub fn offset(&self, partition: i32) -> Option<i64> {
        self.positions.iter().find_map(|(known, offset)| (*known == partition).then_some(*offset))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{VERSION}.{:016x}.{:x}", self.identity, self.newest_us)?;
        self.positions.iter().try_for_each(|(partition, offset)| write!(out, ".{partition:x}-{offset:x}"))
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let mut parts = text.split('.');
        if parts.next() != Some(VERSION) {
            return Err(BadCursor);
        }
        let mut number = || parts.next().ok_or(BadCursor);
        let identity = u64::from_str_radix(number()?, 16).map_err(|_| BadCursor)?;
        let newest_us = i64::from_str_radix(number()?, 16).map_err(|_| BadCursor)?;
        let mut positions = Vec::new();
        for part in parts {
            let (partition, offset) = part.split_once('-').ok_or(BadCursor)?;
            let partition = i32::from_str_radix(partition, 16).map_err(|_| BadCursor)?;
            let offset = i64::from_str_radix(offset, 16).map_err(|_| BadCursor)?;
            if partition < 0 || offset < 0 || positions.len() == POSITIONS_MAX {
                return Err(BadCursor);
            }
            positions.push((partition, offset));
        }
        if positions.is_empty() {
            return Err(BadCursor);
        }
        Ok(Self { identity, newest_us, positions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let cursor = Cursor {
            identity: 0xdead_beef,
            newest_us: 1_795_168_800_000_000,
            positions: vec![(0, 0), (11, i64::MAX)],
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor.clone()));
        assert_eq!(cursor.offset(11), Some(i64::MAX));
        assert_eq!(cursor.offset(5), None);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "1", "1.0.0", "2.0.0.0-0", "1.x.0.0-0", "1.0.0.-1-0", "1.0.0.0--1", "1.0.0.0-0.", "1.0.0.00"]
        {
            assert_eq!(text.parse::<Cursor>(), Err(BadCursor), "{text}");
        }
    }

    #[test]
    fn a_recreated_topic_has_another_identity() {
        let identity = |cluster: &str, topic: &str| {
            identity_hash(&TopicIdentity { cluster_id: cluster.to_owned(), topic_id: topic.to_owned() })
        };
        assert_eq!(identity("a", "b"), identity("a", "b"));
        assert_ne!(identity("a", "b"), identity("a", "c"));
        assert_ne!(identity("ab", "c"), identity("a", "bc"));
        assert_eq!(
            identity("a", "b"),
            0xe5d2_9919_0426_66b2,
            "another version of the service knows our cursors"
        );
    }
}
