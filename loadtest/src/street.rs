//! An endless street of homes for the demo, in real time.
//!
//! What a home reads at an instant is a function of that instant alone, so a street that is stopped and started
//! again goes on where its registers would be, and whatever it sends twice is the same.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::info;
use wattline_reading::Timestamp;

use crate::message::Message;
use crate::pace::Pace;
use crate::physics::Home;
use crate::physics::weather::Weather;
use crate::publish::{Broker, Publisher};
use crate::sample::Part;

/// How a street is simulated.
#[derive(Clone, Debug)]
pub struct StreetOptions {
    /// How many homes.
    pub homes: u32,
    /// From one reading to the next, in ms; the grid of the simulation.
    pub interval_ms: i64,
    /// How far back the street sends what its meters have buffered when it begins.
    pub history_ms: i64,
    /// The world.
    pub seed: u64,
}

/// The homes at one instant.
struct Street {
    options: StreetOptions,
    homes: Vec<(Arc<str>, Home)>,
    /// The last instant that was simulated; on the grid.
    at_ms: i64,
}

/// Buffered readings are one a minute, as data loggers keep them; the last ones are as close as live ones, so that a
/// chart of the last minutes is whole from the beginning.
const HISTORY_STEP_MS: i64 = 60_000;
const HISTORY_FINE_MS: i64 = 16 * 60_000;
/// A message of buffered readings is closed at this size: ingest takes 64 KiB.
const BUFFER_BYTES: usize = 40 * 1024;
/// What is later than this (a machine that slept) is simulated, and not sent.
const LATE_MS_MAX: i64 = 3_600_000;
const WEEK_MS: i64 = 7 * 86_400_000;
/// What a register gains in a week before the simulated one: more than any home uses or feeds in, so that registers
/// never go back.
const WEEK_IMPORT_MWH: i64 = 200_000_000;
const WEEK_EXPORT_MWH: i64 = 500_000_000;
const THREE_PHASE_SHARE: f32 = 0.3;

/// Sends the buffered history, then one reading of each home per interval until `stop`.
///
/// # Errors
/// Where the broker refuses the connection or a message.
pub async fn run(broker: Broker, options: StreetOptions, stop: CancellationToken) -> anyhow::Result<()> {
    let client_id = format!("wattline-street-{}", std::process::id());
    let mut publisher = Publisher::new(broker, client_id, Arc::default());
    let mut street = Street::new(options, Timestamp::now());
    let history = street.history(Timestamp::now());
    if !history.is_empty() {
        info!("sending {} messages of buffered readings", history.len());
        publisher.publish(&mut history.into_iter(), Pace::unlimited(), &stop).await?;
    }
    info!("{} homes are live", street.homes.len());
    while !stop.is_cancelled() {
        let messages = street.advance(Timestamp::now());
        publisher.publish(&mut messages.into_iter(), Pace::unlimited(), &stop).await?;
        let wait_ms = street.at_ms + street.options.interval_ms - Timestamp::now().micros() / 1000;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait_ms.max(1).unsigned_abs())) => {}
            () = stop.cancelled() => {}
        }
    }
    publisher.close().await;
    Ok(())
}

// === impl Street ===

impl Street {
    /// The street at the beginning of its history: simulated from the beginning of that week.
    fn new(options: StreetOptions, now: Timestamp) -> Self {
        let start_ms = now.micros() / 1000 - options.history_ms;
        let week = start_ms.div_euclid(WEEK_MS);
        let homes = (0..options.homes)
            .map(|number| {
                let mut home = Home::new(options.seed, number, THREE_PHASE_SHARE);
                home.add_past((week - 2600) * WEEK_IMPORT_MWH, (week - 2600) * WEEK_EXPORT_MWH);
                (format!("wattline/home-{:02}/reading", number + 1).into(), home)
            })
            .collect();
        let mut street = Self { homes, at_ms: week * WEEK_MS, options };
        while street.at_ms + street.options.interval_ms <= start_ms {
            street.step(|_, _| ());
        }
        street
    }

    /// One step of the grid; every home says what it reads.
    fn step(&mut self, mut said: impl FnMut(&Arc<str>, crate::sample::Sample)) {
        self.at_ms += self.options.interval_ms;
        let ts = Timestamp::from_micros(self.at_ms * 1000);
        let weather = Weather::at(self.options.seed, ts);
        for (topic, home) in &mut self.homes {
            said(topic, home.step(ts, self.options.interval_ms, &weather));
        }
    }

    /// Everything up to now, one reading a minute and at the end all, in arrays.
    fn history(&mut self, now: Timestamp) -> Vec<Message> {
        let now_ms = now.micros() / 1000;
        let mut full = Vec::new();
        let mut buffers: Vec<Vec<u8>> = vec![Vec::new(); self.homes.len()];
        while self.at_ms + self.options.interval_ms <= now_ms {
            let mut number = 0;
            self.step(|topic, sample| {
                let buffer = &mut buffers[number];
                number += 1;
                let ts_ms = sample.ts.micros() / 1000;
                if ts_ms % HISTORY_STEP_MS != 0 && ts_ms < now_ms - HISTORY_FINE_MS {
                    return;
                }
                buffer.push(if buffer.is_empty() { b'[' } else { b',' });
                sample.write_json(Part::Whole, buffer);
                if buffer.len() > BUFFER_BYTES {
                    full.push(buffered(topic, buffer));
                }
            });
        }
        for ((topic, _), buffer) in self.homes.iter().zip(&mut buffers) {
            if !buffer.is_empty() {
                full.push(buffered(topic, buffer));
            }
        }
        full
    }

    /// Every reading that is due.
    fn advance(&mut self, now: Timestamp) -> Vec<Message> {
        let now_ms = now.micros() / 1000;
        let mut messages = Vec::new();
        while self.at_ms + self.options.interval_ms <= now_ms {
            let late = self.at_ms + LATE_MS_MAX < now_ms;
            self.step(|topic, sample| {
                if !late {
                    let mut payload = Vec::with_capacity(256);
                    sample.write_json(Part::Whole, &mut payload);
                    messages.push(Message { topic: Arc::clone(topic), payload, first_of: None });
                }
            });
        }
        messages
    }
}

fn buffered(topic: &Arc<str>, buffer: &mut Vec<u8>) -> Message {
    buffer.push(b']');
    Message { topic: Arc::clone(topic), payload: std::mem::take(buffer), first_of: None }
}

#[cfg(test)]
#[path = "street_tests.rs"]
mod tests;
