//! Readings that come all the time, as they do from a street.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Kafka, World, meter, reading};

/// Writes readings until it is stopped: reading n is of meter n mod 100, n ÷ 100 seconds later, and has n as power.
pub(crate) struct Stream {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Stream {
    pub(crate) fn start(world: &World, per_second: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let kafka = Kafka::of(&world.stack.kafka_brokers(), &world.kafka.readings, &world.kafka.dead_letters);
        let thread = std::thread::spawn(move || {
            let mut sent = 0;
            while !stopped.load(Ordering::Relaxed) {
                let group = per_second / 50;
                let readings: Vec<_> = (sent..sent + group).map(numbered).collect();
                kafka.send(&readings);
                sent += group;
                std::thread::sleep(Duration::from_millis(20));
            }
            sent
        });
        Self { stop, thread }
    }

    /// Stops, and says how many there were.
    pub(crate) fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn numbered(number: usize) -> wattline_reading::Reading {
    let seconds = i64::try_from(number / 100).unwrap();
    let power_w = f64::from(u32::try_from(number).unwrap());
    reading(&meter(number % 100), seconds, power_w)
}

impl World {
    /// Checks that each of the readings of a [`Stream`] is in the table, once, with its values.
    pub(crate) async fn check_stored_once(&self, sent: usize) {
        let sent = i64::try_from(sent).unwrap();
        assert_eq!(self.count("SELECT count(*) FROM reading").await, sent);
        assert_eq!(self.count("SELECT count(DISTINCT power_w) FROM reading").await, sent);
        let wrong = "SELECT count(*) FROM reading r JOIN meter m USING (meter_key) WHERE \
            m.meter_id <> 'meter-' || (power_w::bigint % 100) OR power_w < 0 OR \
            r.ts <> '2026-11-20T10:00:00Z'::timestamptz + power_w::bigint / 100 * interval '1 s'";
        assert_eq!(self.count(wrong).await, 0);
        let totals = self.readings().await;
        assert_eq!((totals.stored, totals.duplicate, totals.conflict), (sent, 0, 0));
    }

    /// Ends all connections of sinks, as an operator or a failing server does.
    pub(crate) async fn end_connections(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'wattline_sink' \
            AND datname = current_database()";
        self.owner.execute(sql, &[]).await.unwrap();
    }
}
