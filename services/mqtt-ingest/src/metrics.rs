//! The service's metrics. Those of the account at the door are read from the window itself, under its lock: the
//! equation received = forwarded + ignored + dead-lettered + shed + in flight holds in every scrape.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use wattline_reading::{Reason, Timestamp};
use wattline_service::metrics::SECONDS;

use crate::decode::{Ignored, Omission, Omitted};
use crate::route::{Clocks, Route};
use crate::window::{Account, Shed, Usage, Window};

/// See the module.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Acks handed to the connection.
    pub acknowledged: Counter,
    /// Readings that Kafka has confirmed.
    pub readings_confirmed: Counter,
    /// Connections that the broker accepted.
    pub connections: Counter,
    /// Connections lost and attempts failed, by cause.
    pub connections_lost: Family<CauseLabel, Counter>,
    /// 1 while connected and subscribed.
    pub connected: Gauge,
    /// Producers that were replaced after an error of the third kind.
    pub producers_replaced: Counter,
    /// Fields that were left out of readings, by reason.
    pub left_out: Family<LeftOutLabel, Counter>,
    /// From arrival to settled; of the longest waiting in each batch.
    pub settle: Histogram,
}

/// Why a connection was lost.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct CauseLabel {
    /// The word.
    pub cause: &'static str,
}

/// Which field, and why.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct LeftOutLabel {
    /// Wattline's name of a measure that was not plausible. Empty for all else: what devices call their fields has no
    /// bound.
    pub field: Cow<'static, str>,
    /// The word.
    pub reason: &'static str,
}

/// Each route's filter and whose time its readings have.
#[derive(Debug)]
struct RouteClocks(Vec<(String, Arc<Clocks>)>);

#[derive(Debug)]
struct Door {
    window: Arc<Mutex<Window>>,
}

// === impl Metrics ===

impl Metrics {
    /// Registers all metrics of the service.
    #[must_use]
    pub fn new(registry: &wattline_service::Metrics, window: &Arc<Mutex<Window>>, routes: &[Route]) -> Self {
        let metrics = Self {
            acknowledged: Counter::default(),
            readings_confirmed: Counter::default(),
            connections: Counter::default(),
            connections_lost: Family::default(),
            connected: Gauge::default(),
            producers_replaced: Counter::default(),
            left_out: Family::default(),
            settle: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
        };
        registry.register(|registry| metrics.register(registry, window));
        let clocks = routes.iter().map(|route| (route.filter.clone(), Arc::clone(&route.clocks))).collect();
        registry.register(|registry| registry.register_collector(Box::new(RouteClocks(clocks))));
        metrics
    }

    fn register(&self, registry: &mut prometheus_client::registry::Registry, window: &Arc<Mutex<Window>>) {
        registry.register_collector(Box::new(Door { window: Arc::clone(window) }));
        registry.register("acknowledged", "Messages acknowledged to the broker", self.acknowledged.clone());
        registry.register(
            "readings_confirmed",
            "Readings that Kafka has on all in-sync replicas",
            self.readings_confirmed.clone(),
        );
        registry.register("connections", "Connections that the broker accepted", self.connections.clone());
        registry.register(
            "connections_lost",
            "Connections lost and attempts failed",
            self.connections_lost.clone(),
        );
        registry.register("connected", "1 while connected and subscribed", self.connected.clone());
        registry.register(
            "producers_replaced",
            "Kafka producers given up after an error that retrying can't cure",
            self.producers_replaced.clone(),
        );
        registry.register("left_out", "Fields left out of readings, by reason", self.left_out.clone());
        registry.register_with_unit(
            "settle",
            "From arrival until Kafka has everything, of the longest waiting in each batch",
            SECONDS,
            self.settle.clone(),
        );
    }
}

// === impl LeftOutLabel ===

impl From<&Omission> for LeftOutLabel {
    fn from(omission: &Omission) -> Self {
        let field = match omission.reason {
            Omitted::Implausible => omission.field.clone(),
            _ => Cow::Borrowed(""),
        };
        Self { field, reason: omission.reason.as_str() }
    }
}

// === impl Door ===

impl Collector for Door {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (account, used, oldest) = {
            let window = self.window.lock();
            (window.account().clone(), window.used(), window.oldest())
        };
        encode_account(&account, &mut encoder)?;
        encode_usage(used, &mut encoder)?;
        let age_us = oldest.map_or(0, |oldest| Timestamp::now().micros() - oldest.micros());
        #[expect(clippy::cast_precision_loss, reason = "an age in µs is far below 2^53")]
        let age = ConstGauge::new(age_us.max(0) as f64 / 1e6);
        let name = "oldest_in_flight";
        let help = "Age of the oldest message in flight";
        age.encode(encoder.encode_descriptor(name, help, Some(&SECONDS), MetricType::Gauge)?)
    }
}

impl Collector for RouteClocks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Readings by whose time they have and why, and those refused for it";
        let mut family = encoder.encode_descriptor("clock", help, None, MetricType::Counter)?;
        for (route, clocks) in &self.0 {
            for (clock, count) in clocks.counts() {
                let labels = [("route", route.as_str()), ("clock", clock.as_str())];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn encode_account(account: &Account, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let received = ["0", "1"].into_iter().zip(account.received);
    encode_family(encoder, "received", "Messages received", "qos", received)?;
    let forwarded = ConstCounter::new(account.forwarded);
    let help = "Messages whose readings Kafka has";
    forwarded.encode(encoder.encode_descriptor("forwarded", help, None, MetricType::Counter)?)?;
    let ignored = Ignored::ALL.iter().map(|why| why.as_str()).zip(account.ignored);
    encode_family(encoder, "ignored", "Messages with nothing to store", "reason", ignored)?;
    let letters = Reason::ALL.iter().map(|reason| reason.as_str()).zip(account.dead_lettered);
    encode_family(encoder, "dead_lettered", "Messages that Kafka has as dead letters", "reason", letters)?;
    let shed = Shed::ALL.iter().map(|why| why.as_str()).zip(account.shed);
    encode_family(encoder, "shed", "Messages received but not taken; at QoS 1 they come again", "cause", shed)
}

fn encode_usage(used: Usage, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    for (name, help, value) in [
        ("in_flight", "Messages received and not settled", used.messages),
        ("in_flight_records", "Records given to Kafka for them", used.records),
        ("in_flight_size", "Bytes of these messages and records", used.bytes),
    ] {
        let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
    }
    Ok(())
}

fn encode_family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &'static str,
    counts: impl Iterator<Item = (&'static str, u64)>,
) -> Result<(), fmt::Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (value, count) in counts {
        let labels = [(label, value)];
        ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use wattline_reading::Limits;

    use super::*;
    use crate::decode::Decoder;
    use crate::decode::time::DeviceTime;
    use crate::route::{RouteSettings, Routes};
    use crate::window::{Fate, Kept, WindowSettings};

    #[test]
    fn the_equation_is_in_every_scrape() {
        let window = Arc::new(Mutex::new(Window::new(WindowSettings::default())));
        let registry = wattline_service::Metrics::new("mqtt-ingest");
        let settings = RouteSettings::new("a/+", Decoder::WATTLINE_JSON);
        let routes = Routes::new(&[settings], &[]).unwrap();
        let metrics = Metrics::new(&registry, &window, routes.all());
        let (time, now) = (DeviceTime::from_text("0"), Timestamp::now());
        assert!(routes.all()[0].event_time(&time, now, &Limits::default()).is_ok());
        let omission = Omission { field: "voltage_v".into(), reason: Omitted::Implausible };
        metrics.left_out.get_or_create(&LeftOutLabel::from(&omission)).inc();
        let message = Kept {
            topic: Bytes::new(),
            payload: Bytes::from_static(b"0123456789"),
            retained: false,
            packet_id: 1,
            received_at: Timestamp::now(),
        };
        window.lock().admit(message.clone(), Fate::Forward, 1, 10);
        window.lock().admit(message, Fate::Forward, 1, 10);
        window.lock().confirm(0);
        window.lock().settle(|_| true);
        window.lock().shed(0, Shed::Stopping);
        let text = registry.encode().unwrap();
        for line in [
            "wattline_mqtt_ingest_received_total{qos=\"0\"} 1",
            "wattline_mqtt_ingest_received_total{qos=\"1\"} 2",
            "wattline_mqtt_ingest_forwarded_total 1",
            "wattline_mqtt_ingest_dead_lettered_total{reason=\"malformed\"} 0",
            "wattline_mqtt_ingest_ignored_total{reason=\"empty\"} 0",
            "wattline_mqtt_ingest_shed_total{cause=\"stopping\"} 1",
            "wattline_mqtt_ingest_in_flight 1",
            "wattline_mqtt_ingest_in_flight_records 1",
            "wattline_mqtt_ingest_in_flight_size 20",
            "wattline_mqtt_ingest_clock_total{route=\"a/+\",clock=\"arrival_unset\"} 1",
            "wattline_mqtt_ingest_left_out_total{field=\"voltage_v\",reason=\"implausible\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
