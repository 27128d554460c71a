//! The service's metrics. Those of the account at the door are read from the window itself, under its lock: the
//! equation received = forwarded + ignored + dead-lettered + shed + in flight holds in every scrape.

mod clocks;

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
use wattline_formats::{Ignored, Omission, Omitted};
use wattline_reading::{Reason, Timestamp};
use wattline_routes::Route;
use wattline_service::metrics::SECONDS;

use crate::connection::Cause;
use crate::window::{Account, Shed, Usage, Window};

use clocks::RouteClocks;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    acknowledged: Family<BrokerLabel, Counter>,
    readings_confirmed: Family<BrokerLabel, Counter>,
    connections: Family<BrokerLabel, Counter>,
    connections_lost: Family<CauseLabel, Counter>,
    connected: Family<BrokerLabel, Gauge>,
    session_expiry: Family<BrokerLabel, Gauge>,
    watchdog_armed: Family<BrokerLabel, Gauge>,
    producers_replaced: Family<BrokerLabel, Counter>,
    rebirths_asked: Family<BrokerLabel, Counter>,
    left_out: Family<LeftOutLabel, Counter>,
    settle: Settle,
    clocks: RouteClocks,
}

/// The metrics of one broker's data path.
#[derive(Clone, Debug)]
pub struct BrokerMetrics {
    /// Acks handed to the connection.
    pub acknowledged: Counter,
    /// Readings that Kafka has confirmed.
    pub readings_confirmed: Counter,
    /// Connections that the broker accepted.
    pub connections: Counter,
    /// 1 while connected and subscribed.
    pub connected: Gauge,
    /// How long the broker keeps the session without a connection, in seconds: 0, and each reconnect loses what waits.
    pub session_expiry: Gauge,
    /// 1 while the connection has brought a canary back, -1 without a watchdog.
    pub watchdog_armed: Gauge,
    /// Producers that were replaced after an error of the third kind.
    pub producers_replaced: Counter,
    /// Sparkplug nodes that were asked for their BIRTH.
    pub rebirths_asked: Counter,
    /// Fields that were left out of readings, by reason; of all brokers.
    pub left_out: Family<LeftOutLabel, Counter>,
    /// From arrival to settled; of the longest waiting in each batch, of all brokers.
    pub settle: Histogram,
    broker: String,
    connections_lost: Family<CauseLabel, Counter>,
    clocks: RouteClocks,
}

/// A broker's name and its window.
pub type BrokerWindow = (String, Arc<Mutex<Window>>);

#[derive(Clone, Debug)]
struct Settle(Histogram);

/// Which broker.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct BrokerLabel {
    /// Its name in the configuration.
    pub broker: String,
}

/// Why a connection was lost.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub struct CauseLabel {
    /// The broker's name in the configuration.
    pub broker: String,
    /// The kind.
    pub cause: Cause,
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

#[derive(Debug)]
struct Door {
    brokers: Vec<BrokerWindow>,
}

// === impl Metrics ===

impl Metrics {
    /// Registers all metrics of the service, with the windows of its brokers.
    #[must_use]
    pub fn new(registry: &wattline_service::Metrics, brokers: Vec<BrokerWindow>) -> Self {
        let metrics = Self::default();
        registry.register(|registry| metrics.register(registry, brokers));
        metrics
    }

    /// Those of one broker.
    #[must_use]
    pub fn of(&self, broker: &str) -> BrokerMetrics {
        let label = BrokerLabel { broker: broker.to_owned() };
        BrokerMetrics {
            acknowledged: self.acknowledged.get_or_create_owned(&label),
            readings_confirmed: self.readings_confirmed.get_or_create_owned(&label),
            connections: self.connections.get_or_create_owned(&label),
            connected: self.connected.get_or_create_owned(&label),
            session_expiry: self.session_expiry.get_or_create_owned(&label),
            watchdog_armed: self.watchdog_armed.get_or_create_owned(&label),
            producers_replaced: self.producers_replaced.get_or_create_owned(&label),
            rebirths_asked: self.rebirths_asked.get_or_create_owned(&label),
            left_out: self.left_out.clone(),
            settle: self.settle.0.clone(),
            connections_lost: self.connections_lost.clone(),
            clocks: self.clocks.clone(),
            broker: label.broker,
        }
    }

    fn register(&self, registry: &mut prometheus_client::registry::Registry, brokers: Vec<BrokerWindow>) {
        registry.register_collector(Box::new(Door { brokers }));
        registry.register_collector(Box::new(self.clocks.clone()));
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
        registry.register_with_unit(
            "session_expiry",
            "How long the broker keeps the session without a connection: 0, and each lost connection loses what waits",
            SECONDS,
            self.session_expiry.clone(),
        );
        registry.register(
            "watchdog_armed",
            "1 while the connection has brought a canary back, so that its silence would be noticed; -1: there is no \
             watchdog",
            self.watchdog_armed.clone(),
        );
        registry.register(
            "producers_replaced",
            "Kafka producers given up after an error that retrying can't cure",
            self.producers_replaced.clone(),
        );
        registry.register(
            "rebirths_asked",
            "Commands to Sparkplug nodes to send their BIRTH",
            self.rebirths_asked.clone(),
        );
        registry.register("left_out", "Fields left out of readings, by reason", self.left_out.clone());
        registry.register_with_unit(
            "settle",
            "From arrival until Kafka has everything, of the longest waiting in each batch",
            SECONDS,
            self.settle.0.clone(),
        );
    }
}

// === impl BrokerMetrics ===

impl BrokerMetrics {
    /// Shows from now on whose time the readings of these routes have, and how many messages are strangers' there.
    pub fn watch_clocks(&self, routes: &[Route]) {
        self.clocks.add(&self.broker, routes);
    }

    /// A connection was lost, or an attempt has failed.
    pub fn lost(&self, cause: Cause) {
        let broker = self.broker.clone();
        self.connections_lost.get_or_create(&CauseLabel { broker, cause }).inc();
    }
}

// === impl Settle ===

impl Default for Settle {
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(0.001, 2.0, 16)))
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
        let looks: Vec<Look> = self.brokers.iter().map(Look::at).collect();
        encode_account(&looks, &mut encoder)?;
        encode_usage(&looks, &mut encoder)?;
        let now = Timestamp::now();
        let help = "Age of the oldest message in flight";
        let name = "oldest_in_flight";
        let mut family = encoder.encode_descriptor(name, help, Some(&SECONDS), MetricType::Gauge)?;
        for look in &looks {
            let age_s = look.oldest.map_or(0.0, |oldest| now.seconds_since(oldest).max(0.0));
            let age = ConstGauge::new(age_s);
            age.encode(family.encode_family(&[("broker", look.broker)])?)?;
        }
        Ok(())
    }
}

/// One broker's account and window, at one moment.
struct Look<'a> {
    broker: &'a str,
    account: Account,
    used: Usage,
    oldest: Option<Timestamp>,
}

impl<'a> Look<'a> {
    fn at((broker, window): &'a BrokerWindow) -> Self {
        let window = window.lock();
        Self { broker, account: window.account().clone(), used: window.used(), oldest: window.oldest() }
    }
}

fn encode_account(looks: &[Look<'_>], encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let received = |account: &Account| ["0", "1"].into_iter().zip(account.received).collect();
    encode_family(encoder, "received", "Messages received", "qos", looks, received)?;
    let help = "Messages whose readings Kafka has";
    let mut family = encoder.encode_descriptor("forwarded", help, None, MetricType::Counter)?;
    for look in looks {
        let forwarded = ConstCounter::new(look.account.forwarded);
        forwarded.encode(family.encode_family(&[("broker", look.broker)])?)?;
    }
    let ignored =
        |account: &Account| Ignored::ALL.iter().map(|why| why.as_str()).zip(account.ignored).collect();
    encode_family(encoder, "ignored", "Messages with nothing to store", "reason", looks, ignored)?;
    let help = "Messages that Kafka has as dead letters";
    let letters = |account: &Account| {
        Reason::ALL.iter().map(|reason| reason.as_str()).zip(account.dead_lettered).collect()
    };
    encode_family(encoder, "dead_lettered", help, "reason", looks, letters)?;
    let help =
        "Messages received but not taken: copies of what was, QoS 0 that is lost, or QoS 1 that comes again";
    let shed = |account: &Account| Shed::ALL.iter().map(|why| why.as_str()).zip(account.shed).collect();
    encode_family(encoder, "shed", help, "cause", looks, shed)
}

fn encode_usage(looks: &[Look<'_>], encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    for (index, (name, help)) in [
        ("in_flight", "Messages received and not settled"),
        ("in_flight_records", "Records given to Kafka for them"),
        ("in_flight_size", "Bytes of these messages and records"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for look in looks {
            let Usage { messages, records, bytes } = look.used;
            let gauge = ConstGauge::new(i64::try_from([messages, records, bytes][index]).unwrap_or(i64::MAX));
            gauge.encode(family.encode_family(&[("broker", look.broker)])?)?;
        }
    }
    Ok(())
}

fn encode_family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &'static str,
    looks: &[Look<'_>],
    counts: impl Fn(&Account) -> Vec<(&'static str, u64)>,
) -> Result<(), fmt::Error> {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for look in looks {
        for (value, count) in counts(&look.account) {
            let labels = [("broker", look.broker), (label, value)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use wattline_formats::Family;
    use wattline_formats::time::DeviceTime;
    use wattline_reading::Limits;
    use wattline_routes::{RouteSettings, Routes};

    use super::*;
    use crate::received::Received;
    use crate::window::{Fate, WindowSettings};

    #[test]
    fn the_equation_is_in_every_scrape() {
        let window = Arc::new(Mutex::new(Window::new(WindowSettings::default())));
        let registry = wattline_service::Metrics::new("mqtt-ingest");
        let other = Arc::new(Mutex::new(Window::new(WindowSettings::default())));
        let brokers = vec![("a".to_owned(), Arc::clone(&window)), ("b".to_owned(), other)];
        let metrics = Metrics::new(&registry, brokers).of("a");
        metrics.lost(Cause::Dns);
        let settings = RouteSettings::new("a/+", Family::WATTLINE_JSON);
        let routes = Routes::new(&[settings], &[]).unwrap();
        metrics.watch_clocks(routes.all());
        let (time, now) = (DeviceTime::from_text("0"), Timestamp::now());
        let stranger = routes.all()[0].stranger("a/b");
        assert_eq!(stranger.reason, wattline_reading::Reason::NotThisFamily);
        assert!(routes.all()[0].event_time(&time, true, now, &Limits::default()).is_ok());
        let omission = Omission { field: "voltage_v".into(), reason: Omitted::Implausible };
        metrics.left_out.get_or_create(&LeftOutLabel::from(&omission)).inc();
        let message = Received {
            topic: Bytes::new(),
            payload: Bytes::from_static(b"0123456789"),
            retained: false,
            duplicate: false,
            second_copy: false,
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
            "wattline_mqtt_ingest_received_total{broker=\"a\",qos=\"0\"} 1",
            "wattline_mqtt_ingest_received_total{broker=\"a\",qos=\"1\"} 2",
            "wattline_mqtt_ingest_forwarded_total{broker=\"a\"} 1",
            "wattline_mqtt_ingest_dead_lettered_total{broker=\"b\",reason=\"malformed\"} 0",
            "wattline_mqtt_ingest_ignored_total{broker=\"a\",reason=\"empty\"} 0",
            "wattline_mqtt_ingest_shed_total{broker=\"a\",cause=\"stopping\"} 1",
            "wattline_mqtt_ingest_in_flight{broker=\"a\"} 1",
            "wattline_mqtt_ingest_in_flight_records{broker=\"a\"} 1",
            "wattline_mqtt_ingest_in_flight_size{broker=\"a\"} 20",
            "wattline_mqtt_ingest_in_flight{broker=\"b\"} 0",
            "wattline_mqtt_ingest_connections_lost_total{broker=\"a\",cause=\"dns\"} 1",
            "wattline_mqtt_ingest_clock_total{broker=\"a\",route=\"a/+\",clock=\"arrival_unset\"} 1",
            "wattline_mqtt_ingest_not_this_family_total{broker=\"a\",route=\"a/+\"} 1",
            "wattline_mqtt_ingest_left_out_total{field=\"voltage_v\",reason=\"implausible\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
