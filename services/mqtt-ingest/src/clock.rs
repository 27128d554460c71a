//! This host's own clock: arrival stamps readings whose device has no clock, and judges the stamps of those that have
//! one. A wrong clock here is wrong for every meter, so it is looked at, measured and said.
//!
//! Three signs: what the kernel says of its synchronisation; jumps, by the clock that nobody sets; and, where one is
//! configured, the difference to an NTP server.

mod kernel;
mod reference;

use std::time::Duration;

use documented::DocumentedFields;
use nix::time::{ClockId, clock_gettime};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use serde::{Deserialize, Serialize};
use std::sync::atomic::AtomicU64;
use tracing::{info, warn};
use wattline_reading::{Timestamp, timestamp};
use wattline_service::config::absent_if_empty;
use wattline_service::metrics::SECONDS;

use kernel::Synchronisation;

/// How often the kernel is asked, and the clock compared with the one that nobody sets.
const POLL: Duration = Duration::from_secs(5);
/// NTP servers are asked rarely: this is what their operators expect.
const ASK: Duration = Duration::from_secs(128);
/// Slewing moves a clock by 2.5 ms between two looks at most.
const JUMP_US: i64 = 250_000;

/// Section `[clock]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClockSettings {
    /// An NTP server that this host's clock is compared with, `host` or `host:port`. Empty: none;
    /// the kernel is asked anyway.
    #[serde(deserialize_with = "absent_if_empty")]
    pub ntp_server: Option<String>,
    /// A larger difference to it is said in the log, in ms.
    pub offset_ms_max: u32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Clock {
    settings: ClockSettings,
    metrics: ClockMetrics,
    /// Both clocks at the last look.
    last: Option<Both>,
    synchronisation: Option<Synchronisation>,
    /// The difference is beyond its bound.
    off: bool,
}

#[derive(Clone, Debug, Default)]
struct ClockMetrics {
    synchronised: Gauge,
    error: Gauge<f64, AtomicU64>,
    jumps: Counter,
    offset: Gauge<f64, AtomicU64>,
}

/// The clock of the day, and the one that runs evenly since the host's start, its sleep included; in µs.
#[derive(Clone, Copy, Debug)]
struct Both {
    wall_us: i64,
    even_us: i64,
}

// === impl ClockSettings ===

impl Default for ClockSettings {
    fn default() -> Self {
        Self { ntp_server: None, offset_ms_max: 1000 }
    }
}

// === impl Clock ===

impl Clock {
    pub(crate) fn new(settings: &ClockSettings, registry: &wattline_service::Metrics) -> Self {
        let metrics = ClockMetrics::default();
        // Until the kernel was asked.
        metrics.synchronised.set(-1);
        registry.register(|registry| {
            registry.register(
                "clock_synchronised",
                "1 if the kernel says that this host's clock is synchronised, 0 if not, -1 if it doesn't say",
                metrics.synchronised.clone(),
            );
            registry.register_with_unit(
                "clock_error",
                "The kernel's bound of the error of this host's clock",
                SECONDS,
                metrics.error.clone(),
            );
            registry.register(
                "clock_jumps",
                "Steps of this host's clock, in either direction",
                metrics.jumps.clone(),
            );
            if settings.ntp_server.is_some() {
                registry.register_with_unit(
                    "clock_offset",
                    "What the NTP server's clock is ahead of this host's",
                    SECONDS,
                    metrics.offset.clone(),
                );
            }
        });
        Self { settings: settings.clone(), metrics, last: None, synchronisation: None, off: false }
    }

    /// Looks for ever.
    pub(crate) async fn watch(mut self) {
        let mut looks = tokio::time::interval(POLL);
        let mut asks = tokio::time::interval(ASK);
        loop {
            tokio::select! {
                _ = looks.tick() => {
                    self.look_for_jump(Both::now());
                    self.look_at_kernel(kernel::synchronisation());
                }
                _ = asks.tick(), if self.settings.ntp_server.is_some() => self.compare().await,
            }
        }
    }

    fn look_for_jump(&mut self, now: Option<Both>) {
        let (last, Some(now)) = (std::mem::replace(&mut self.last, now), now) else { return };
        let Some(last) = last else { return };
        let jump_us = (now.wall_us - last.wall_us) - (now.even_us - last.even_us);
        if jump_us.abs() >= JUMP_US {
            self.metrics.jumps.inc();
            warn!(
                jump_us,
                "this host's clock was moved by {jump_us} µs: readings without a time of their own carry the arrival by \
                 the old clock before and by the new one after. Have it slewed, not stepped, by chrony or ntpd, and \
                 synchronised before the services start"
            );
        }
    }

    fn look_at_kernel(&mut self, now: Synchronisation) {
        let before = self.synchronisation.replace(now);
        let (value, error_s) = match now {
            Synchronisation::Yes { error_s } => (1, error_s),
            Synchronisation::No { error_s } => (0, error_s),
            Synchronisation::Unknown => (-1, 0.0),
        };
        self.metrics.synchronised.set(value);
        self.metrics.error.set(error_s);
        if before.is_some_and(|before| before.is_like(now)) {
            return;
        }
        match now {
            Synchronisation::Yes { .. } if before.is_none() => {}
            Synchronisation::Yes { .. } => info!("this host's clock is synchronised"),
            Synchronisation::No { .. } => warn!(
                "the kernel says that this host's clock is not synchronised: arrival times may drift, and readings with a \
                 time of their own may seem to come from the future. Run chrony (with rtcsync), ntpd or \
                 systemd-timesyncd on the host; in a container it is the host's clock"
            ),
            Synchronisation::Unknown => {
                info!(
                    "the kernel does not say whether this host's clock is synchronised (adjtimex is not allowed)"
                );
            }
        }
    }

    async fn compare(&mut self) {
        let Some(server) = self.settings.ntp_server.clone() else { return };
        match reference::offset_us(&server).await {
            Ok(offset_us) => self.judge_offset(&server, offset_us),
            Err(error) => warn!("the NTP server {server} (clock.ntp_server) gives no time: {error:#}"),
        }
    }

    fn judge_offset(&mut self, server: &str, offset_us: i64) {
        self.metrics.offset.set(timestamp::seconds(offset_us));
        let off = offset_us.abs() > i64::from(self.settings.offset_ms_max) * 1000;
        match (std::mem::replace(&mut self.off, off), off) {
            (false, true) => warn!(
                offset_us,
                "this host's clock differs from {server} by {offset_us} µs (more than clock.offset_ms_max): arrival \
                 times are wrong by as much. Synchronise the host"
            ),
            (true, false) => info!(offset_us, "this host's clock agrees with {server} again"),
            _ => {}
        }
    }
}

// === impl Both ===

impl Both {
    /// Both at one moment; none where this thread was held up between the two, or there is no such clock.
    fn now() -> Option<Self> {
        let before_us = even_us()?;
        let wall_us = Timestamp::now().micros();
        let even_us = even_us()?;
        (even_us - before_us < JUMP_US / 10).then_some(Self { wall_us, even_us })
    }
}

fn even_us() -> Option<i64> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?;
    Some(now.tv_sec() * 1_000_000 + now.tv_nsec() / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> (Clock, wattline_service::Metrics) {
        let registry = wattline_service::Metrics::new("mqtt-ingest");
        let settings = ClockSettings { ntp_server: Some("x".to_owned()), ..ClockSettings::default() };
        (Clock::new(&settings, &registry), registry)
    }

    #[test]
    fn a_step_is_counted_and_a_slew_is_not() {
        let (mut clock, _) = clock();
        let mut jumps = |wall_us, even_us| {
            clock.look_for_jump(Some(Both { wall_us, even_us }));
            clock.metrics.jumps.get()
        };
        assert_eq!(jumps(1_000_000_000, 5_000_000), 0);
        assert_eq!(jumps(1_005_002_500, 10_000_000), 0, "slewed");
        assert_eq!(jumps(4_605_002_500, 15_000_000), 1, "an hour ahead");
        assert_eq!(jumps(1_015_002_500, 20_000_000), 2, "and back");
        assert_eq!(jumps(61_015_002_500, 60_020_000_000), 2, "the host has slept");
    }

    #[test]
    fn the_two_clocks_of_this_host_run() {
        let first = std::iter::repeat_with(Both::now).flatten().next().unwrap();
        let second = std::iter::repeat_with(Both::now).flatten().next().unwrap();
        assert!(second.even_us >= first.even_us);
    }

    #[test]
    fn what_the_kernel_and_the_server_say_is_measured() {
        let (mut clock, registry) = clock();
        clock.look_at_kernel(Synchronisation::No { error_s: 16.0 });
        clock.judge_offset("x", -2_500_000);
        assert!(clock.off);
        let text = registry.encode().unwrap();
        for line in [
            "clock_synchronised 0",
            "clock_error_seconds 16.0",
            "clock_offset_seconds -2.5",
            "clock_jumps_total 0",
        ] {
            let line = format!("wattline_mqtt_ingest_{line}");
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        clock.judge_offset("x", 900_000);
        assert!(!clock.off);
    }
}
