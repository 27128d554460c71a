//! Whose time the readings have, and how many messages are strangers', of each route.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use wattline_routes::{Clocks, Route};

/// The counters of all routes of all brokers.
#[derive(Clone, Debug, Default)]
pub(super) struct RouteClocks(Arc<Mutex<Vec<RouteClock>>>);

#[derive(Debug)]
struct RouteClock {
    broker: String,
    filter: String,
    clocks: Arc<Clocks>,
    strangers: Arc<AtomicU64>,
}

// === impl RouteClocks ===

impl RouteClocks {
    fn encode_strangers(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help =
            "Messages that are not of the family to which their route leads: dead letters not_this_family";
        let mut family = encoder.encode_descriptor("not_this_family", help, None, MetricType::Counter)?;
        for route in &*self.0.lock() {
            let labels = [("broker", route.broker.as_str()), ("route", &route.filter)];
            let count = route.strangers.load(Ordering::Relaxed);
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    pub(super) fn add(&self, broker: &str, routes: &[Route]) {
        self.0.lock().extend(routes.iter().map(|route| RouteClock {
            broker: broker.to_owned(),
            filter: route.filter.clone(),
            clocks: Arc::clone(&route.clocks),
            strangers: Arc::clone(&route.strangers),
        }));
    }
}

impl Collector for RouteClocks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        self.encode_strangers(&mut encoder)?;
        let help = "Readings by whose time they have and why, and those refused for it";
        let mut family = encoder.encode_descriptor("clock", help, None, MetricType::Counter)?;
        for route in &*self.0.lock() {
            for (clock, count) in route.clocks.counts() {
                let labels =
                    [("broker", route.broker.as_str()), ("route", &route.filter), ("clock", clock.as_str())];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
