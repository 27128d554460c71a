//! The recent readings of all meters, in memory: bounded by bytes, indexed by meter. Subscribers hold no queue of
//! their own, only a place in here: a slow one costs nothing, and what it loses is counted.

use std::collections::{HashMap, VecDeque};
use std::mem::size_of;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use wattline_reading::{Phase, Reading};

/// The ring; one per process, filled by the tail.
#[derive(Debug)]
pub struct Ring {
    inner: Mutex<Inner>,
    bytes_max: usize,
    backlog_max: u64,
}

/// One subscriber's place in the readings of one meter.
#[derive(Debug)]
pub struct Follower {
    ring: Arc<Ring>,
    meter_id: Arc<str>,
    changed: watch::Receiver<()>,
    generation: u64,
    /// The next reading of this meter, counted since the ring knows the meter.
    ordinal: u64,
    /// Readings below this offset are part of the snapshot.
    offset: i64,
}

/// What comes next for a subscriber.
#[derive(Clone, Debug, PartialEq)]
pub enum Taken {
    /// A reading, and where it lies in Kafka.
    Reading {
        /// Its offset.
        offset: i64,
        /// What was measured.
        reading: Arc<Reading>,
    },
    /// This many readings are gone: the subscriber was too slow.
    Lost(u64),
    /// The ring began anew: places in it mean nothing any more.
    Reset,
}

/// Some readings from the wanted offset on are no longer, or not yet, in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// From where on the ring has everything.
    pub first_offset: i64,
}

/// How full the ring is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Readings in it.
    pub readings: usize,
    /// The memory that they take.
    pub bytes: usize,
    /// Meters that have readings or subscribers.
    pub meters: usize,
}

#[derive(Debug, Default)]
struct Inner {
    /// Raised when offsets lose their meaning.
    generation: u64,
    bytes: usize,
    /// All readings in order of arrival: who gives way next.
    order: VecDeque<Entry>,
    meters: HashMap<Arc<str>, Meter>,
    partitions: Vec<Span>,
}

#[derive(Debug)]
struct Entry {
    meter_id: Arc<str>,
    partition: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Meter {
    /// How many readings of this meter have given way.
    gone: u64,
    readings: VecDeque<(i64, Arc<Reading>)>,
    changed: watch::Sender<()>,
}

/// The ring holds every record of a partition from `first` up to, not including, `next`.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: i64,
    next: i64,
}

// === impl Ring ===

impl Ring {
    /// An empty ring. A follower that is more than `backlog_max` readings behind loses the oldest.
    #[must_use]
    pub fn new(bytes_max: usize, backlog_max: u64) -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default(), bytes_max, backlog_max })
    }

    /// Forgets everything and begins at these offsets, one a partition. All followers get [`Taken::Reset`].
    pub fn begin(&self, offsets: &[i64]) {
        let mut inner = self.inner.lock();
        inner.generation += 1;
        inner.bytes = 0;
        inner.order.clear();
        inner.partitions = offsets.iter().map(|&offset| Span { first: offset, next: offset }).collect();
        inner.meters.retain(|_, meter| {
            meter.gone += meter.readings.len() as u64;
            meter.readings.clear();
            meter.changed.send_replace(());
            meter.changed.receiver_count() > 0
        });
    }

    /// Where the ring ends: the next offset of each partition. Empty before the first [`Self::begin`].
    #[must_use]
    pub fn next_offsets(&self) -> Vec<i64> {
        let inner = self.inner.lock();
        inner.partitions.iter().map(|span| span.next).collect()
    }

    /// Adds what was read at `offset`; `None` where the record is no reading.
    pub fn push(&self, partition: i32, offset: i64, reading: Option<Reading>) {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        let Ok(partition) = usize::try_from(partition) else { return };
        let Some(span) = inner.partitions.get_mut(partition) else { return };
        if offset < span.next {
            return;
        }
        span.next = offset + 1;
        let Some(reading) = reading else { return };
        let bytes = bytes_of(&reading);
        let meter_id = match inner.meters.get_key_value(reading.meter_id.as_str()) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(reading.meter_id.as_str()),
        };
        let meter = inner.meters.entry(Arc::clone(&meter_id)).or_insert_with(Meter::new);
        meter.readings.push_back((offset, Arc::new(reading)));
        meter.changed.send_replace(());
        inner.bytes += bytes;
        inner.order.push_back(Entry { meter_id, partition, bytes });
        while inner.bytes > self.bytes_max && inner.order.len() > 1 {
            inner.drop_oldest();
        }
    }

    /// A place in one meter's readings, at their end.
    #[must_use]
    pub fn follow(self: &Arc<Self>, meter_id: &str) -> Follower {
        let mut inner = self.inner.lock();
        let meter_id: Arc<str> = Arc::from(meter_id);
        let generation = inner.generation;
        let meter = inner.meters.entry(Arc::clone(&meter_id)).or_insert_with(Meter::new);
        Follower {
            ring: Arc::clone(self),
            meter_id,
            changed: meter.changed.subscribe(),
            generation,
            ordinal: meter.end(),
            offset: 0,
        }
    }

    /// How full it is.
    #[must_use]
    pub fn fill(&self) -> Fill {
        let inner = self.inner.lock();
        Fill { readings: inner.order.len(), bytes: inner.bytes, meters: inner.meters.len() }
    }
}

/// What a reading costs in here, its places in both queues included.
fn bytes_of(reading: &Reading) -> usize {
    const PLACES: usize = size_of::<Entry>() + size_of::<(i64, Arc<Reading>)>() + 2 * size_of::<usize>();
    size_of::<Reading>()
        + reading.meter_id.capacity()
        + reading.measures.phases.capacity() * size_of::<Phase>()
        + PLACES
}

// === impl Inner ===

impl Inner {
    fn drop_oldest(&mut self) {
        let Some(entry) = self.order.pop_front() else { return };
        self.bytes -= entry.bytes;
        let Some(meter) = self.meters.get_mut(&entry.meter_id) else { return };
        let Some((offset, _)) = meter.readings.pop_front() else { return };
        meter.gone += 1;
        if let Some(span) = self.partitions.get_mut(entry.partition) {
            span.first = offset + 1;
        }
        if meter.readings.is_empty() && meter.changed.receiver_count() == 0 {
            self.meters.remove(&entry.meter_id);
        }
    }
}

// === impl Meter ===

impl Meter {
    fn new() -> Self {
        Self { gone: 0, readings: VecDeque::new(), changed: watch::Sender::new(()) }
    }

    fn end(&self) -> u64 {
        self.gone + self.readings.len() as u64
    }
}

// === impl Follower ===

impl Follower {
    /// Goes to an offset of the meter's partition, and answers what the ring holds of this meter before it.
    ///
    /// # Errors
    /// Where the ring does not reach back so far: the follower stands at its beginning then.
    pub fn seek(&mut self, partition: i32, offset: i64) -> Result<Vec<Arc<Reading>>, Missing> {
        let inner = self.ring.inner.lock();
        self.generation = inner.generation;
        let span = usize::try_from(partition).ok().and_then(|partition| inner.partitions.get(partition));
        let first_offset = span.map_or(i64::MAX, |span| span.first);
        let Some(meter) = inner.meters.get(&self.meter_id) else {
            return Err(Missing { first_offset });
        };
        self.offset = offset.max(first_offset);
        let before = meter.readings.partition_point(|(at, _)| *at < self.offset);
        self.ordinal = meter.gone + before as u64;
        if offset < first_offset {
            return Err(Missing { first_offset });
        }
        Ok(meter.readings.range(..before).map(|(_, reading)| Arc::clone(reading)).collect())
    }

    /// Where the partition ends, if this follower has had everything of its meter before that.
    #[must_use]
    pub fn end(&self, partition: i32) -> Option<i64> {
        let inner = self.ring.inner.lock();
        let meter = inner.meters.get(&self.meter_id)?;
        let span = inner.partitions.get(usize::try_from(partition).ok()?)?;
        let drained = inner.generation == self.generation && self.ordinal == meter.end();
        drained.then_some(span.next.max(self.offset))
    }

    /// What comes next, when it is there.
    pub async fn next(&mut self) -> Taken {
        loop {
            self.changed.mark_unchanged();
            if let Some(taken) = self.take() {
                return taken;
            }
            if self.changed.changed().await.is_err() {
                return Taken::Reset;
            }
        }
    }

    /// What [`Self::take`] would give.
    #[must_use]
    pub fn peek(&mut self) -> Option<Taken> {
        let (generation, ordinal) = (self.generation, self.ordinal);
        let taken = self.take();
        (self.generation, self.ordinal) = (generation, ordinal);
        taken
    }

    /// What comes next, if it is there already.
    pub fn take(&mut self) -> Option<Taken> {
        let inner = self.ring.inner.lock();
        if inner.generation != self.generation {
            self.generation = inner.generation;
            self.ordinal = inner.meters.get(&self.meter_id).map_or(0, Meter::end);
            return Some(Taken::Reset);
        }
        let meter = inner.meters.get(&self.meter_id)?;
        let oldest = meter.end().saturating_sub(self.ring.backlog_max).max(meter.gone);
        if self.ordinal < oldest {
            let lost = oldest - self.ordinal;
            self.ordinal = oldest;
            return Some(Taken::Lost(lost));
        }
        loop {
            let index = usize::try_from(self.ordinal - meter.gone).ok()?;
            let (offset, reading) = meter.readings.get(index)?;
            self.ordinal += 1;
            if *offset >= self.offset {
                return Some(Taken::Reading { offset: *offset, reading: Arc::clone(reading) });
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut inner = self.ring.inner.lock();
        // This follower is still counted.
        let unused = inner
            .meters
            .get(&self.meter_id)
            .is_some_and(|meter| meter.readings.is_empty() && meter.changed.receiver_count() == 1);
        if unused {
            inner.meters.remove(&self.meter_id);
        }
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
