//! The messages of a plan, in the order in which they are published: reading by reading, meter by meter.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use wattline_reading::Timestamp;

use crate::dialect::{Dialect, Line};
use crate::message::Message;
use crate::physics::Home;
use crate::physics::weather::Weather;
use crate::plan::{Disturbance, Plan};
use crate::sample::{Part, Sample};

/// Where all connections end together, so that what was sent is a shorter plan: after the same reading of each meter.
#[derive(Debug)]
pub struct End(Mutex<EndState>);

#[derive(Debug)]
struct EndState {
    /// The most readings that any connection has begun.
    begun: u32,
    end: u32,
}

/// The meters of one connection. Later messages of one meter never overtake earlier ones.
#[derive(Debug)]
pub struct Fleet {
    plan: Arc<Plan>,
    meters: Vec<FleetMeter>,
    /// Next to be taken: the reading's index, and the place in `meters`.
    index: u32,
    place: usize,
    weather: Weather,
    ready: VecDeque<Message>,
    /// What a device of a mixed load says, before it is made messages of.
    lines: Vec<Line>,
    /// Messages held back, by index; the front is due before the next one.
    held: VecDeque<Vec<Message>>,
    end: Arc<End>,
    over: bool,
}

#[derive(Debug)]
struct FleetMeter {
    number: u32,
    id: String,
    topic: Arc<str>,
    home: Home,
}

// === impl End ===

impl End {
    /// After this many readings at the latest.
    #[must_use]
    pub const fn after(readings: u32) -> Self {
        Self(Mutex::new(EndState { begun: 0, end: readings }))
    }

    /// Ends it as soon as all connections can end together; returns how many readings each meter will have sent.
    pub fn now(&self) -> u32 {
        let mut state = self.0.lock();
        state.end = state.end.min(state.begun);
        state.end
    }

    /// Whether the reading of this index may begin.
    fn begin(&self, index: u32) -> bool {
        let mut state = self.0.lock();
        let may = index < state.end;
        if may {
            state.begun = state.begun.max(index + 1);
        }
        may
    }
}

// === impl Fleet ===

impl Fleet {
    /// Every `of`-th meter of the plan, from `connection` on. All connections of a load share one end.
    #[must_use]
    pub fn new(plan: Arc<Plan>, connection: u32, of: u32, end: Arc<End>) -> Self {
        let meters = (connection..plan.meters)
            .step_by(of.max(1) as usize)
            .map(|number| FleetMeter {
                number,
                id: plan.meter_id(number),
                topic: plan.topic(number).into(),
                home: Home::new(plan.seed, number, plan.three_phase_share),
            })
            .collect();
        Self {
            weather: plan_weather(&plan, 0),
            plan,
            meters,
            index: 0,
            place: 0,
            ready: VecDeque::new(),
            lines: Vec::new(),
            held: VecDeque::new(),
            over: !end.begin(0),
            end,
        }
    }

    /// Takes one reading of one meter, or releases what is held at the end.
    fn advance(&mut self) {
        if self.over {
            self.ready.extend(self.held.pop_front().into_iter().flatten());
            return;
        }
        let Some(meter) = self.meters.get_mut(self.place) else {
            self.place = 0;
            self.index += 1;
            self.ready.extend(self.held.pop_front().into_iter().flatten());
            self.weather = plan_weather(&self.plan, self.index);
            self.over = !self.end.begin(self.index);
            return;
        };
        let ts = self.plan.ts(meter.number, self.index);
        let sample = meter.home.step(ts, self.plan.interval_ms, &self.weather);
        if self.plan.mixed {
            Dialect::of(meter.number).say(&meter.id, &sample, &mut self.lines);
            self.ready.extend(self.lines.drain(..).map(Message::from));
            self.place += 1;
            return;
        }
        let bytes = self.plan.payload_bytes.into();
        let whole = meter.message(&sample, Part::Whole, bytes);
        match self.plan.disturbance(meter.number, self.index) {
            Disturbance::None => self.ready.push_back(whole),
            Disturbance::Duplicate(later) => {
                let again = Message { first_of: None, ..whole.clone() };
                self.ready.push_back(whole);
                hold(&mut self.held, later, again);
            }
            Disturbance::OutOfOrder(later) => hold(&mut self.held, later, whole),
            Disturbance::Garbage(garbage) => {
                self.ready.push_back(whole);
                self.ready.push_back(Message {
                    topic: Arc::clone(&meter.topic),
                    payload: garbage.payload(ts, &meter.id, self.index),
                    first_of: None,
                });
            }
            Disturbance::Conflict => {
                self.ready.push_back(whole);
                self.ready.push_back(Message {
                    first_of: None,
                    ..meter.message(&sample.contradicted(), Part::Whole, bytes)
                });
            }
            Disturbance::Split => {
                for part in [Part::Momentary, Part::Registers] {
                    self.ready.push_back(Message { first_of: None, ..meter.message(&sample, part, bytes) });
                }
            }
        }
        self.place += 1;
    }
}

impl Iterator for Fleet {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            if self.over && self.held.is_empty() {
                return None;
            }
            self.advance();
        }
    }
}

impl From<Line> for Message {
    fn from(line: Line) -> Self {
        Self { topic: line.topic, payload: line.payload, first_of: None }
    }
}

// === impl FleetMeter ===

impl FleetMeter {
    fn message(&self, sample: &Sample, part: Part, bytes: usize) -> Message {
        let mut payload = Vec::with_capacity(bytes.max(if sample.phases.is_some() { 448 } else { 224 }));
        sample.write_json(part, &mut payload);
        fill_up(&mut payload, bytes);
        Message { topic: Arc::clone(&self.topic), payload, first_of: Some(sample.ts) }
    }
}

/// Lengthens an object by a field that nobody reads, where there is room for one.
fn fill_up(object: &mut Vec<u8>, bytes: usize) {
    const BEGIN: &[u8] = b",\"note\":\"";
    const END: &[u8] = b"\"}";
    // The brace that goes is the one that END brings back.
    let room = (bytes + 1).checked_sub(object.len() + BEGIN.len() + END.len());
    if let Some(room) = room
        && object.pop_if(|last| *last == b'}').is_some()
    {
        object.extend_from_slice(BEGIN);
        object.resize(object.len() + room, b'x');
        object.extend_from_slice(END);
    }
}

/// Every reading of one meter, as it must be in the table.
pub fn samples(plan: &Plan, meter: u32) -> impl Iterator<Item = Sample> + '_ {
    let mut home = Home::new(plan.seed, meter, plan.three_phase_share);
    (0..plan.readings)
        .map(move |index| home.step(plan.ts(meter, index), plan.interval_ms, &plan_weather(plan, index)))
}

/// Every message of one meter of a mixed plan, with what must be stored of it.
pub(crate) fn lines(plan: &Plan, meter: u32) -> impl Iterator<Item = Line> + '_ {
    let (dialect, id) = (Dialect::of(meter), plan.meter_id(meter));
    samples(plan, meter).flat_map(move |sample| {
        let mut lines = Vec::new();
        dialect.say(&id, &sample, &mut lines);
        lines
    })
}

/// One weather for all meters at one index: it costs more than all else of a reading.
fn plan_weather(plan: &Plan, index: u32) -> Weather {
    let ms = i64::from(index + 1) * plan.interval_ms;
    Weather::at(plan.seed, Timestamp::from_micros(plan.start.micros() + ms * 1000))
}

fn hold(held: &mut VecDeque<Vec<Message>>, later: u32, message: Message) {
    let later = later as usize;
    // The front is released before the next index: `later` readings of the meter go in between.
    while held.len() <= later {
        held.push_back(Vec::new());
    }
    held[later].push(message);
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
