//! What changed: the (meter, time range) of every record that no recomputation has seen yet. Pure: time and offsets
//! come as arguments.
//!
//! A mark grows while it is *open*. When it is due it is *sealed*, so that its last offset stands still and the sink
//! can get past it. It is *taken* into one transaction, and gone when that has committed.

use std::collections::HashMap;
use std::sync::Arc;

use wattline_energy::QUARTER_HOUR_US;
use wattline_energy::reach::Changed;

/// Ranges of one meter nearer to each other than this are one mark, in µs.
const JOIN_US: i64 = 3_600_000_000;
/// How long an idle meter is remembered after its last recomputation, in ms.
const FORGET_MS: u64 = 600_000;

/// One instant on two clocks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Now {
    /// ms since the process began: it never jumps.
    pub(crate) steady_ms: u64,
    /// µs since 1970.
    pub(crate) wall_us: i64,
}

/// When marks are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// How long a mark may grow before it is due, in ms.
    pub(crate) linger_ms: u64,
    /// An open bucket of a meter is refreshed at most so often, in ms; and ended ones of a meter that catches up.
    pub(crate) open_refresh_ms: u64,
    /// A mark that has been due for so long is spilled, in ms.
    pub(crate) spill_after_ms: u64,
    /// A mark over a longer time is a back-fill and spilled at once, in µs.
    pub(crate) live_span_us: i64,
}

/// All marks of one partition.
#[derive(Debug)]
pub(crate) struct Marks {
    pace: Pace,
    meters: HashMap<Arc<str>, Meter>,
    count: usize,
}

/// What was taken of one meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The meter.
    pub(crate) meter: Arc<str>,
    /// The rows that changed.
    pub(crate) changed: Changed,
}

#[derive(Debug, Default)]
struct Meter {
    marks: Vec<Mark>,
    /// When its open bucket was last recomputed.
    refreshed_ms: Option<u64>,
    /// Its ended buckets were recomputed not long ago.
    catch_up: Option<CatchUp>,
}

/// A meter that sends what it has buffered changes the same quarter-hours again and again, and each recomputation reads
/// all their rows. So each waits twice as long as the one before, as long as they follow each other: what is shown is at
/// most as far behind as the catching up has taken.
#[derive(Clone, Copy, Debug)]
struct CatchUp {
    /// The last recomputation.
    computed_ms: u64,
    /// From it to the next, in ms.
    wait_ms: u64,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    changed: Changed,
    first_offset: i64,
    last_offset: i64,
    due_ms: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Sealed,
    Taken,
}

// === impl Marks ===

impl Marks {
    /// None yet.
    #[must_use]
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, meters: HashMap::new(), count: 0 }
    }

    /// How many there are.
    #[must_use]
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Notes one record. Offsets come in rising order. Allocates only for a meter or a range not seen before.
    pub(crate) fn add(&mut self, meter: &str, ts_us: i64, offset: i64, now: Now) {
        if !self.meters.contains_key(meter) {
            self.meters.insert(Arc::from(meter), Meter::default());
        }
        let Some(meter) = self.meters.get_mut(meter) else { return };
        if let Some(mark) = meter.marks.iter_mut().rev().find(|mark| mark.takes(ts_us)) {
            mark.changed.first_us = mark.changed.first_us.min(ts_us);
            mark.changed.last_us = mark.changed.last_us.max(ts_us);
            mark.last_offset = offset;
            return;
        }
        let soon_ms = now.steady_ms + self.pace.linger_ms;
        let next_ms = if is_open(ts_us, now) {
            meter.refreshed_ms.map(|refreshed_ms| refreshed_ms + self.pace.open_refresh_ms)
        } else {
            meter.catch_up.map(|catch_up| catch_up.computed_ms + catch_up.wait_ms)
        };
        let due_ms = soon_ms.max(next_ms.unwrap_or(0));
        meter.marks.push(Mark {
            changed: Changed { first_us: ts_us, last_us: ts_us },
            first_offset: offset,
            last_offset: offset,
            due_ms,
            state: State::Open,
        });
        self.count += 1;
    }

    /// Seals what is due, and takes what a snapshot that holds the records below `stored_offset` can compute: at most
    /// `limit` ranges, more only to keep a meter's together.
    pub(crate) fn take(&mut self, stored_offset: i64, limit: usize, now: Now, taken: &mut Vec<Taken>) {
        let live_span_us = self.pace.live_span_us;
        for (id, meter) in &mut self.meters {
            let mut due = false;
            for mark in &mut meter.marks {
                if mark.state == State::Open && mark.due_ms <= now.steady_ms {
                    mark.state = State::Sealed;
                }
                due |= mark.state == State::Sealed
                    && mark.last_offset < stored_offset
                    && mark.changed.span_us() <= live_span_us;
            }
            if !due {
                continue;
            }
            let ranges = meter.take(stored_offset, live_span_us);
            taken.extend(ranges.into_iter().map(|changed| Taken { meter: Arc::clone(id), changed }));
            if taken.len() >= limit {
                return;
            }
        }
    }

    /// Takes what is to go to the table: marks over a long time, or due for long; with `all`, whatever the snapshot
    /// holds. At most `limit`.
    pub(crate) fn take_to_spill(
        &mut self,
        stored_offset: i64,
        limit: usize,
        all: bool,
        now: Now,
    ) -> Vec<Taken> {
        let pace = self.pace;
        let mut taken = Vec::new();
        for (id, meter) in &mut self.meters {
            for mark in &mut meter.marks {
                let overdue = mark.due_ms + pace.spill_after_ms <= now.steady_ms;
                let long = mark.changed.span_us() > pace.live_span_us && mark.state == State::Sealed;
                if mark.state != State::Taken && mark.last_offset < stored_offset && (all || overdue || long)
                {
                    mark.state = State::Taken;
                    taken.push(Taken { meter: Arc::clone(id), changed: mark.changed });
                    if taken.len() >= limit {
                        return taken;
                    }
                }
            }
        }
        taken
    }

    /// What was taken is done: committed.
    pub(crate) fn clear_taken(&mut self, now: Now) {
        let (mut count, pace) = (0, self.pace);
        self.meters.retain(|_, meter| {
            let (mut open, mut ended) = (false, false);
            meter.marks.retain(|mark| {
                let taken = mark.state == State::Taken;
                open |= taken && is_open(mark.changed.last_us, now);
                ended |= taken && !is_open(mark.changed.first_us, now);
                !taken
            });
            if open {
                meter.refreshed_ms = Some(now.steady_ms);
            }
            if ended {
                meter.catch_up = Some(CatchUp::after(meter.catch_up, pace, now));
            }
            count += meter.marks.len();
            let last_ms = meter.refreshed_ms.max(meter.catch_up.map(|catch_up| catch_up.computed_ms));
            !meter.marks.is_empty() || last_ms.is_some_and(|last_ms| last_ms + FORGET_MS > now.steady_ms)
        });
        self.count = count;
    }

    /// What was taken was not done: it is due still.
    pub(crate) fn release_taken(&mut self) {
        for mark in self.meters.values_mut().flat_map(|meter| &mut meter.marks) {
            if mark.state == State::Taken {
                mark.state = State::Sealed;
            }
        }
    }

    /// The first offset that is not done when what is taken is done; none if nothing is left.
    #[must_use]
    pub(crate) fn first_offset(&self) -> Option<i64> {
        let marks = self.meters.values().flat_map(|meter| &meter.marks);
        marks.filter(|mark| mark.state != State::Taken).map(|mark| mark.first_offset).min()
    }

    /// Whether a record of this meter below the offset is waiting.
    #[must_use]
    pub(crate) fn waits(&self, meter: &str, stored_offset: i64) -> bool {
        let marks = self.meters.get(meter).map(|meter| meter.marks.as_slice()).unwrap_or_default();
        marks.iter().any(|mark| mark.first_offset < stored_offset)
    }
}

// === impl Meter ===

impl Meter {
    /// Takes every sealed mark that can be computed, and the open ones beside them; merged where they meet.
    fn take(&mut self, stored_offset: i64, live_span_us: i64) -> Vec<Changed> {
        let mut ranges: Vec<Changed> = Vec::with_capacity(1);
        for state in [State::Sealed, State::Open] {
            for mark in &mut self.marks {
                let ready = mark.state == state && mark.last_offset < stored_offset;
                if !ready || mark.changed.span_us() > live_span_us {
                    continue;
                }
                let near = ranges.iter_mut().find(|range| are_near(range, &mark.changed));
                match near {
                    Some(range) => {
                        range.first_us = range.first_us.min(mark.changed.first_us);
                        range.last_us = range.last_us.max(mark.changed.last_us);
                    }
                    None if state == State::Sealed => ranges.push(mark.changed),
                    None => continue,
                }
                mark.state = State::Taken;
            }
        }
        ranges
    }
}

// === impl CatchUp ===

impl CatchUp {
    /// The next step of one that goes on, or the first of a new one.
    fn after(last: Option<Self>, pace: Pace, now: Now) -> Self {
        let goes_on = last.filter(|last| last.computed_ms + 2 * pace.open_refresh_ms > now.steady_ms);
        let wait_ms = goes_on.map_or(pace.linger_ms, |last| (2 * last.wait_ms).min(pace.open_refresh_ms));
        Self { computed_ms: now.steady_ms, wait_ms: wait_ms.max(pace.linger_ms) }
    }
}

// === impl Mark ===

impl Mark {
    const fn takes(&self, ts_us: i64) -> bool {
        matches!(self.state, State::Open)
            && ts_us >= self.changed.first_us - JOIN_US
            && ts_us <= self.changed.last_us + JOIN_US
    }
}

const fn are_near(a: &Changed, b: &Changed) -> bool {
    a.first_us <= b.last_us + QUARTER_HOUR_US && b.first_us <= a.last_us + QUARTER_HOUR_US
}

/// Whether the quarter-hour that holds this instant has not ended.
const fn is_open(ts_us: i64, now: Now) -> bool {
    ts_us.div_euclid(QUARTER_HOUR_US) >= now.wall_us.div_euclid(QUARTER_HOUR_US)
}

#[cfg(test)]
#[path = "marks_tests.rs"]
mod tests;
