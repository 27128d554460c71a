//! One subscription to a meter: a snapshot from the table, then the ring from the snapshot's offset on; or the
//! ring from the client's cursor on. Never a silent hole: what is missing is said.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tracing::field::Empty;
use tracing::{Instrument as _, Span, debug, info, info_span};
use wattline_reading::{Reading, Timestamp, partition, topics};

use super::memory::{Memory, Verdict};
use super::{Cursor, Follower, Live, Taken, cursor};
use crate::error::{ApiError, Result};
use crate::metrics::EventLabels;
use crate::store::{MeterRow, Store};

/// What a subscriber gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The newest readings of the table, in order; the stream goes on after them.
    Snapshot(Vec<Arc<Reading>>),
    /// One reading.
    Reading {
        /// What was measured.
        reading: Arc<Reading>,
        /// The meter has sent a newer one before.
        late: bool,
        /// It came before with fewer measures; this is the whole.
        merged: bool,
    },
    /// Readings are missing here; the table has them, or will.
    Lagged {
        /// How many, where it is known.
        lost: Option<u64>,
        /// Why.
        reason: LagReason,
    },
    /// Readings came that are older than what this subscription remembers: query them.
    HistoryChanged {
        /// The oldest.
        from: Timestamp,
        /// The newest.
        to: Timestamp,
    },
    /// The stream is alive.
    Heartbeat {
        /// The server's clock.
        at: Timestamp,
        /// Kafka answers and the tail keeps up.
        up_to_date: bool,
    },
    /// What came before can't be continued; a snapshot follows.
    Reset(ResetReason),
}

/// Why readings are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LagReason {
    /// The client took them too slowly.
    SlowSubscriber,
    /// The table is further behind than the live feed reaches back.
    StoreBehind,
}

/// Why a stream begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetReason {
    /// The cursor is older than what is kept in memory.
    CursorTooOld,
    /// The cursor is of another meter, topic or cluster.
    CursorForeign,
    /// The feed itself began anew.
    FeedRestarted,
}

/// One running subscription.
#[derive(Debug)]
pub struct Subscription {
    live: Arc<Live>,
    store: Store,
    meter: MeterRow,
    /// Where Kafka has this meter.
    partition: i32,
    recent: u16,
    follower: Follower,
    memory: Memory,
    cursor: Cursor,
    heartbeat: Interval,
    /// What was found out together, each with the cursor that goes on behind it; at most three.
    ready: VecDeque<(Event, Cursor)>,
    /// The stream's own: a root, as streams outlive what began them.
    span: Span,
    account: Account,
}

/// What a stream has brought, for its span.
#[derive(Debug)]
struct Account {
    begun: Instant,
    events: u64,
    /// Readings that the client lost.
    dropped: u64,
}

// === impl Subscription ===

impl Subscription {
    /// Subscribes: from `after` on if the ring still holds that, else with a snapshot of the newest `recent`
    /// readings. `subscriber` is the number of the client's WebSocket, for the log.
    ///
    /// # Errors
    /// Where the feed or the database is not there.
    pub async fn begin(
        live: Arc<Live>,
        store: Store,
        meter: MeterRow,
        recent: u16,
        after: Option<Cursor>,
        subscriber: u64,
    ) -> Result<Self> {
        let identity = live.identity();
        if identity == 0 {
            let text = "the live feed has not started: Kafka does not answer; try again in a few seconds";
            return Err(ApiError::Unavailable(text.to_owned()));
        }
        let partition = partition::of_key(meter.id.as_bytes(), topics::READINGS.partitions);
        let mut heartbeat = interval(Duration::from_millis(live.settings.heartbeat_ms));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        live.metrics.subscriptions.inc();
        let span = info_span!(
            parent: None,
            "stream",
            subscriber,
            meter = meter.id,
            events = Empty,
            dropped = Empty,
            duration_ms = Empty
        );
        let mut subscription = Self {
            span: span.clone(),
            account: Account { begun: Instant::now(), events: 0, dropped: 0 },
            follower: live.ring.follow(&meter.id),
            memory: Memory::new(live.settings.remembered_readings_max),
            cursor: Cursor { identity, newest_us: 0, positions: vec![(partition, 0)] },
            heartbeat,
            ready: VecDeque::new(),
            live,
            store,
            meter,
            partition,
            recent,
        };
        subscription.join(after).instrument(span).await?;
        Ok(subscription)
    }

    async fn join(&mut self, after: Option<Cursor>) -> Result<()> {
        let refused = match after {
            None => None,
            Some(cursor) => match self.resume(&cursor) {
                Ok(()) => return Ok(()),
                Err(reason) => Some((reason, cursor)),
            },
        };
        debug!(refused = ?refused.as_ref().map(|(reason, _)| reason), "a live stream begins with a snapshot");
        self.begin_anew(refused).await
    }

    /// The next event, when it is there.
    ///
    /// # Errors
    /// Where the stream can't go on; the client may subscribe again with its cursor.
    pub async fn next(&mut self) -> Result<(Event, Cursor)> {
        let (event, cursor) = loop {
            if let Some(ready) = self.ready.pop_front() {
                break ready;
            }
            tokio::select! {
                biased;
                taken = self.follower.next() => {
                    let span = self.span.clone();
                    self.take(taken).instrument(span).await?;
                }
                _ = self.heartbeat.tick() => self.beat(),
            }
        };
        let kind = event.kind();
        self.live.metrics.events.get_or_create(&EventLabels { kind }).inc();
        self.account.events += 1;
        Ok((event, cursor))
    }

    fn push(&mut self, event: Event) {
        self.ready.push_back((event, self.cursor.clone()));
    }

    fn set_offset(&mut self, offset: i64) {
        self.cursor.positions = vec![(self.partition, offset)];
    }

    fn resume(&mut self, cursor: &Cursor) -> std::result::Result<(), ResetReason> {
        let offset = cursor
            .offset(self.partition)
            .filter(|_| cursor.identity == self.cursor.identity)
            .ok_or(ResetReason::CursorForeign)?;
        let known = self.follower.seek(self.partition, offset).map_err(|_| ResetReason::CursorTooOld)?;
        known.into_iter().for_each(|reading| self.memory.remember(reading));
        self.memory.set_newest(Timestamp::from_micros(cursor.newest_us));
        self.cursor = cursor.clone();
        Ok(())
    }

    /// Takes a snapshot. A reset keeps the cursor that could not be used: a client that is cut off before the
    /// snapshot has come must not go on behind it.
    async fn begin_anew(&mut self, refused: Option<(ResetReason, Cursor)>) -> Result<()> {
        let snapshot = self.store.snapshot(&self.meter, self.partition, self.recent).await?;
        self.ready.clear();
        self.ready.extend(refused.map(|(reason, cursor)| (Event::Reset(reason), cursor)));
        self.memory = Memory::new(self.live.settings.remembered_readings_max);
        let readings: Vec<Arc<Reading>> = snapshot.readings.into_iter().map(Arc::new).collect();
        readings.iter().for_each(|reading| self.memory.remember(Arc::clone(reading)));
        self.note_newest();
        self.cursor.identity = self.live.identity();
        let stored = snapshot
            .stored
            .filter(|(_, topic)| cursor::identity_hash(topic).max(1) == self.cursor.identity)
            .map_or(0, |(next_offset, _)| next_offset);
        self.set_offset(stored);
        self.push(Event::Snapshot(readings));
        if let Err(missing) = self.follower.seek(self.partition, stored) {
            self.set_offset(missing.first_offset);
            self.push(Event::Lagged { lost: None, reason: LagReason::StoreBehind });
        }
        Ok(())
    }

    async fn take(&mut self, taken: Taken) -> Result<()> {
        match taken {
            Taken::Reset => {
                let refused = (ResetReason::FeedRestarted, self.cursor.clone());
                self.begin_anew(Some(refused)).await?;
            }
            Taken::Lost(lost) => {
                self.live.metrics.lost_readings.inc_by(lost);
                self.account.dropped += lost;
                debug!(lost, "the client takes readings too slowly: it lost the oldest and was told");
                self.push(Event::Lagged { lost: Some(lost), reason: LagReason::SlowSubscriber });
            }
            Taken::Reading { offset, reading } => self.take_reading(offset, reading),
        }
        Ok(())
    }

    fn take_reading(&mut self, offset: i64, reading: Arc<Reading>) {
        let verdict = self.memory.judge(&reading);
        self.set_offset(offset + 1);
        self.note_newest();
        match verdict {
            Verdict::Known => {}
            Verdict::New { late } => self.push(Event::Reading { reading, late, merged: false }),
            Verdict::Merged(reading) => self.push(Event::Reading {
                late: self.memory.newest().is_some_and(|newest| reading.ts < newest),
                reading,
                merged: true,
            }),
            Verdict::Forgotten => self.note_history(reading.ts),
        }
    }

    /// A back-fill of thousands is one event: what else waits already is judged along.
    fn note_history(&mut self, first: Timestamp) {
        let (mut from, mut to) = (first, first);
        while let Some(Taken::Reading { offset, reading }) = self.follower.peek() {
            if !self.memory.is_forgotten(reading.ts) {
                break;
            }
            from = from.min(reading.ts);
            to = to.max(reading.ts);
            self.follower.take();
            self.set_offset(offset + 1);
        }
        self.push(Event::HistoryChanged { from, to });
    }

    fn beat(&mut self) {
        if let Some(end) = self.follower.end(self.partition) {
            self.set_offset(end);
        }
        self.push(Event::Heartbeat { at: Timestamp::now(), up_to_date: self.live.is_up_to_date() });
    }

    fn note_newest(&mut self) {
        if let Some(newest) = self.memory.newest() {
            self.cursor.newest_us = newest.micros().max(0);
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.live.metrics.subscriptions.dec();
        let Account { begun, events, dropped } = self.account;
        let duration_ms = begun.elapsed().as_secs_f64() * 1000.0;
        self.span.record("events", events).record("dropped", dropped).record("duration_ms", duration_ms);
        self.span.in_scope(|| {
            if dropped > 0 {
                info!("a live stream has ended whose client lost readings, as it took them too slowly");
            } else {
                debug!("a live stream has ended");
            }
        });
    }
}

// === impl Event ===

impl Event {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Snapshot(_) => "snapshot",
            Self::Reading { .. } => "reading",
            Self::Lagged { .. } => "lagged",
            Self::HistoryChanged { .. } => "history_changed",
            Self::Heartbeat { .. } => "heartbeat",
            Self::Reset(_) => "reset",
        }
    }
}
