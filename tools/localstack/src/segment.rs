//! A segment of Kafka's log as bytes, to cut and to damage.
//!
//! A record batch begins with its first offset (8 bytes), its length behind these 12 (4), and has the distance of its last
//! offset at 23 (4), all big-endian: <https://kafka.apache.org/43/implementation/message-format/>.

use std::fs;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

const HEADER: usize = 27;

/// One record batch in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its bytes in the segment.
    pub bytes: Range<usize>,
    /// How many offsets it has.
    pub records: u64,
}

/// The batches of a segment, in their order. A last one that is not whole is among them.
#[must_use]
pub fn batches(segment: &[u8]) -> Vec<Batch> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(header) = segment.get(at..at + HEADER) {
        let number =
            |from: usize| header[from..from + 4].iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        let length = usize::try_from(number(8)).unwrap_or(usize::MAX);
        let end = at.saturating_add(12).saturating_add(length);
        found.push(Batch { bytes: at..end, records: number(23) + 1 });
        at = end;
    }
    found
}

/// The first segment of a partition in a broker's folder.
#[must_use]
pub fn first_of(broker: &Path, topic: &str, partition: i32) -> PathBuf {
    broker.join("data").join(format!("{topic}-{partition}")).join(format!("{:020}.log", 0))
}

/// Turns bits of one byte of a batch, as a bad disk does, under a running broker. `place` is asked with the batch's length.
///
/// # Errors
/// Where there is no such batch.
pub fn damage(segment: &Path, batch: usize, place: impl Fn(usize) -> usize, bits: u8) -> Result<()> {
    let bytes = fs::read(segment).with_context(|| format!("cannot read {}", segment.display()))?;
    let batch = batches(&bytes).get(batch).context("there are fewer batches")?.bytes.clone();
    let at = batch.start + place(batch.len());
    let byte = bytes.get(at).context("the batch is not whole")?;
    fs::OpenOptions::new().write(true).open(segment)?.write_all_at(&[byte ^ bits], u64::try_from(at)?)?;
    Ok(())
}
