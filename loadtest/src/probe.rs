//! How long it takes from PUBLISH until the row is visible: a sample of readings is looked for in the table
//! every few milliseconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use wattline_reading::Timestamp;
use wattline_service::postgres::read_column;

use crate::latency::microseconds;

/// Where publishers leave readings to look for. They are asked for one at a time: a publisher that isn't asked
/// pays one atomic load.
#[derive(Debug, Default)]
pub struct Probes {
    wanted: AtomicBool,
    taken: Mutex<Option<Probe>>,
}

#[derive(Debug)]
struct Probe {
    meter_id: String,
    ts: Timestamp,
    published_at: Instant,
}

/// How often the table is asked: the resolution of the result.
const ASK_EVERY: Duration = Duration::from_millis(5);
/// How often a reading is chosen.
const CHOOSE_EVERY: Duration = Duration::from_millis(20);
/// While so many are not visible yet, no further one is chosen.
const OPEN_MAX: usize = 256;

// === impl Probes ===

impl Probes {
    /// A publisher's offer.
    pub(crate) fn offer(&self, topic: &str, ts: Timestamp, published_at: Instant) {
        if !self.wanted.load(Ordering::Relaxed) || !self.wanted.swap(false, Ordering::Relaxed) {
            return;
        }
        let meter_id = topic.split('/').nth(1).unwrap_or_default().to_owned();
        *self.taken.lock() = Some(Probe { meter_id, ts, published_at });
    }

    /// Measures until `stop`; then the readings that are still open are waited for until `patience` is over. Gives the
    /// connection back: what its questions cost is read while it is there.
    ///
    /// # Errors
    /// Where the database can't be asked.
    pub async fn watch(
        self: Arc<Self>,
        client: Client,
        stop: CancellationToken,
        patience: Duration,
    ) -> anyhow::Result<(Histogram<u64>, Client)> {
        let session = client.batch_execute(include_str!("sql/probe_session.sql")).await;
        session.context("preparing the probe's session")?;
        let statement = client.prepare(include_str!("sql/probe.sql")).await.context("preparing the probe")?;
        let mut visible_us = microseconds();
        let mut open: Vec<Probe> = Vec::new();
        let mut chosen_at = Instant::now();
        let mut stopped_at = None;
        loop {
            open.extend(self.taken.lock().take());
            if stop.is_cancelled() {
                let since = *stopped_at.get_or_insert_with(Instant::now);
                if open.is_empty() || Instant::now().saturating_duration_since(since) > patience {
                    return Ok((visible_us, client));
                }
            } else if open.len() < OPEN_MAX
                && Instant::now().saturating_duration_since(chosen_at) >= CHOOSE_EVERY
            {
                chosen_at = Instant::now();
                self.wanted.store(true, Ordering::Relaxed);
            }
            if !open.is_empty() {
                let ids: Vec<&str> = open.iter().map(|probe| probe.meter_id.as_str()).collect();
                let times: Vec<_> = open.iter().map(|probe| probe.ts.to_chrono()).collect();
                let (first, last) = (times.iter().min(), times.iter().max());
                let rows = client
                    .query(&statement, &[&ids, &times, &first, &last])
                    .await
                    .context("looking for a reading in the table")?;
                let now = Instant::now();
                let places = rows.iter().map(|row| read_column(row, "place"));
                let mut places = places.collect::<Result<Vec<i64>, _>>().context("reading what was found")?;
                places.sort_unstable();
                for place in places.into_iter().rev() {
                    let index = usize::try_from(place - 1).context("an ordinality begins at 1")?;
                    let probe = open.swap_remove(index);
                    let elapsed_us = now.saturating_duration_since(probe.published_at).as_micros();
                    visible_us.saturating_record(u64::try_from(elapsed_us).unwrap_or(u64::MAX));
                }
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}
