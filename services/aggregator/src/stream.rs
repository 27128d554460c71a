//! The partitions of this process and their marks: what the consuming thread and the computing task share.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use wattline_reading::Timestamp;
use wattline_service::LagClock;
use wattline_service::traces::Links;
use wattline_stream::{Assignments, Partition as Id, Silence};

use crate::marks::{Marks, Now, Pace, Taken};
use crate::traced::Traced;

/// Shared by the thread that consumes and the task that computes.
#[derive(Debug)]
pub(crate) struct Stream {
    began: Instant,
    pace: Pace,
    partitions: Mutex<BTreeMap<i32, Partition>>,
    assignments: Arc<Assignments>,
    joined: AtomicBool,
}

/// One assigned partition.
#[derive(Debug)]
pub(crate) struct Partition {
    /// Where it stands.
    pub(crate) state: State,
    /// The next offset to read from Kafka.
    pub(crate) position: i64,
    /// The sink has stored everything below, as far as we know.
    pub(crate) sink_offset: i64,
    /// The own offset in the database.
    pub(crate) own_offset: i64,
    /// What changed.
    pub(crate) marks: Marks,
    /// By which chosen messages.
    pub(crate) traced: Traced,
    /// Kafka is to be read from `position` again.
    pub(crate) seek: bool,
    /// The client was told to deliver nothing.
    pub(crate) paused: bool,
    /// Nothing came for some offsets below the position, and why was not asked yet.
    pub(crate) hole: Option<Hole>,
    /// How long what the sink has stored is not computed.
    pub(crate) behind: LagClock,
    /// How long nothing has come although there is something.
    pub(crate) silence: Silence,
    /// What is at this offset doesn't come, and why.
    pub(crate) missing: Option<(i64, String)>,
}

/// Offsets for which nothing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    /// The first of them.
    pub(crate) from: i64,
    /// All others that are meant lie below this.
    to: i64,
}

/// Where a partition stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Kafka gave it to us; the row in the database isn't ours yet. Tried again at this time, in ms.
    Assigned(u64),
    /// Ours.
    Owned,
    /// A person must do something; tried again at this time, in ms.
    Stopped(u64, String),
}

// === impl Stream ===

impl Stream {
    /// Without partitions.
    #[must_use]
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            began: Instant::now(),
            pace,
            partitions: Mutex::default(),
            assignments: Arc::default(),
            joined: AtomicBool::new(false),
        }
    }

    /// The present, on both clocks.
    #[must_use]
    pub(crate) fn now(&self) -> Now {
        let steady_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { steady_ms, wall_us: Timestamp::now().micros() }
    }

    /// The partitions. Held for moments only, never over an `await`.
    pub(crate) fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, Partition>> {
        self.partitions.lock()
    }

    /// Kafka gave us this one: it stays paused until the database's row is ours.
    pub(crate) fn assign(&self, partition: i32) {
        self.assignments.take(Id::readings(partition));
        self.lock().insert(partition, Partition::assigned(self.pace));
    }

    /// Kafka takes it away: its marks are the next owner's, from the offset in the database on.
    pub(crate) fn revoke(&self, partition: i32) {
        self.assignments.release(Id::readings(partition));
        self.lock().remove(&partition);
    }

    /// Under which assignments the group has given the partitions.
    #[must_use]
    pub(crate) const fn assignments(&self) -> &Arc<Assignments> {
        &self.assignments
    }

    /// The group has given us our share, be it nothing.
    pub(crate) fn set_joined(&self) {
        self.joined.store(true, Ordering::Relaxed);
    }

    /// Whether the group has given us a share.
    #[must_use]
    pub(crate) fn has_joined(&self) -> bool {
        self.joined.load(Ordering::Relaxed)
    }

    /// The row isn't ours any more: forget what we know, and claim it later if Kafka still says it's ours.
    pub(crate) fn lose(&self, partitions: &[i32], retry_ms: u64) {
        for partition in partitions {
            if let Some(entry) = self.lock().get_mut(partition) {
                let (silence, missing) = (mem::take(&mut entry.silence), entry.missing.take());
                *entry = Partition { silence, missing, ..Partition::assigned(self.pace) };
                entry.state = State::Assigned(retry_ms);
            }
        }
    }

    /// The holes of the owned ones.
    #[must_use]
    pub(crate) fn holes(&self) -> Vec<(i32, Hole)> {
        let partitions = self.lock();
        let owned = partitions.iter().filter(|(_, entry)| entry.state == State::Owned);
        owned.filter_map(|(id, entry)| Some((*id, entry.hole?))).collect()
    }

    /// What Kafka has no record for is no hole; those that were found since stay, and one that begins before it: the partition
    /// was claimed anew since, and of what is before nobody was asked.
    pub(crate) fn close_hole(&self, partition: i32, closed: Hole) {
        if let Some(entry) = self.lock().get_mut(&partition)
            && entry.hole.is_some_and(|hole| hole.from >= closed.from)
        {
            let later = |hole: &Hole| hole.to > closed.to;
            entry.hole = entry.hole.filter(later).map(|hole| Hole { from: hole.from.max(closed.to), ..hole });
        }
    }

    /// A claim that failed for a passing reason is tried again at this time.
    pub(crate) fn claim_again(&self, partition: i32, retry_ms: u64) {
        if let Some(entry) = self.lock().get_mut(&partition) {
            match &mut entry.state {
                State::Assigned(at_ms) | State::Stopped(at_ms, _) => *at_ms = retry_ms,
                State::Owned => {}
            }
        }
    }

    /// The owned ones.
    #[must_use]
    pub(crate) fn owned(&self) -> Vec<i32> {
        let partitions = self.lock();
        partitions.iter().filter(|(_, entry)| entry.state == State::Owned).map(|(id, _)| *id).collect()
    }

    /// Whether the own offsets have somewhere to go: something was read, or waits.
    #[must_use]
    pub(crate) fn wants_advance(&self) -> bool {
        let partitions = self.lock();
        let mut owned = partitions.values().filter(|entry| entry.state == State::Owned);
        owned.any(|entry| entry.position > entry.own_offset || !entry.marks.is_empty())
    }

    /// Whether something was read that the sink has not stored, as far as we know.
    #[must_use]
    pub(crate) fn waits_for_sink(&self) -> bool {
        let partitions = self.lock();
        let mut owned = partitions.values().filter(|entry| entry.state == State::Owned);
        owned.any(|entry| entry.position > entry.sink_offset)
    }

    /// Takes over where the sink stands. What it has once stored stays so: a lower offset waits for the next snapshot,
    /// which finds out why.
    pub(crate) fn see_sink(&self, offsets: impl Iterator<Item = (i32, i64)>) {
        let mut partitions = self.lock();
        for (id, offset) in offsets {
            if let Some(entry) = partitions.get_mut(&id) {
                entry.sink_offset = entry.sink_offset.max(offset);
            }
        }
    }

    /// Takes what can be computed, of all owned partitions.
    #[must_use]
    pub(crate) fn take(&self, limit: usize, now: Now) -> Vec<(i32, Taken)> {
        let mut group = Vec::new();
        let mut taken = Vec::new();
        for (id, entry) in self.lock().iter_mut().filter(|(_, entry)| entry.state == State::Owned) {
            entry.marks.take(entry.sink_offset, limit.saturating_sub(group.len()), now, &mut taken);
            group.extend(taken.drain(..).map(|taken| (*id, taken)));
            if group.len() >= limit {
                break;
            }
        }
        group
    }

    /// The chosen messages that changed what was taken; they are not told again.
    pub(crate) fn messages_in(&self, group: &[(i32, Taken)]) -> Links {
        let mut links = Links::default();
        for (id, entry) in self.lock().iter_mut().filter(|(_, entry)| !entry.traced.is_empty()) {
            entry.traced.take(*id, group, &mut links);
        }
        links
    }

    /// What was taken is committed.
    pub(crate) fn clear_taken(&self, now: Now) {
        self.lock().values_mut().for_each(|entry| entry.marks.clear_taken(now));
    }

    /// What was taken was rolled back.
    pub(crate) fn release_taken(&self) {
        self.lock().values_mut().for_each(|entry| entry.marks.release_taken());
    }

    /// All marks in memory.
    #[must_use]
    pub(crate) fn mark_count(&self) -> usize {
        self.lock().values().map(|entry| entry.marks.len()).sum()
    }
}

// === impl Partition ===

impl Partition {
    fn assigned(pace: Pace) -> Self {
        Self {
            state: State::Assigned(0),
            position: 0,
            sink_offset: 0,
            own_offset: 0,
            marks: Marks::new(pace),
            traced: Traced::default(),
            seek: false,
            paused: true,
            hole: None,
            behind: LagClock::default(),
            silence: Silence::default(),
            missing: None,
        }
    }

    /// The database's row is ours: read on from its offset. Where the sink stands is read in the next snapshot.
    pub(crate) fn own(&mut self, next_offset: i64) {
        self.state = State::Owned;
        self.position = next_offset;
        self.own_offset = next_offset;
        self.sink_offset = 0;
        self.seek = true;
        self.hole = None;
    }

    /// A record was read that is not below the position. What it jumps over may have been deleted.
    pub(crate) fn read(&mut self, offset: i64) {
        if offset > self.position {
            let from = self.hole.map_or(self.position, |hole| hole.from);
            self.hole = Some(Hole { from, to: offset });
        }
        self.position = offset + 1;
    }

    /// How far the own offset may go: not beyond what is still marked, nor into a hole.
    #[must_use]
    pub(crate) fn done(&self) -> i64 {
        let read = self.hole.map_or(self.position, |hole| hole.from);
        self.marks.first_offset().map_or(read, |first| first.min(read))
    }

    /// Whether it needs a person.
    #[must_use]
    pub(crate) const fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped(..)) || self.missing.is_some()
    }

    /// How far it was read ahead of the sink. What was below the own offset once is never ahead.
    #[must_use]
    pub(crate) fn ahead(&self) -> i64 {
        (self.position - self.sink_offset.max(self.own_offset)).max(0)
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
