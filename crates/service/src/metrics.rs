//! Metrics of one service, in the text form of Prometheus (OpenMetrics).

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::process::ProcessCollector;

/// Where a service registers its metrics. Names begin with `wattline_<service>_`.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    prefix: String,
}

// === impl Metrics ===

impl Metrics {
    /// A registry with the metrics of the process itself: memory, CPU, build.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ProcessCollector::default()));
        let labels = vec![
            // Not `service`: of a Kubernetes target that is the name of its Service, and goes before a label of the metric's own.
            ("program".into(), name.to_owned().into()),
            ("version".into(), env!("CARGO_PKG_VERSION").into()),
        ];
        registry.sub_registry_with_labels(labels.into_iter()).register(
            "wattline_build",
            "What runs: always 1",
            ConstGauge::new(1_i64),
        );
        Self {
            registry: Arc::new(Mutex::new(registry)),
            prefix: format!("wattline_{}", name.replace('-', "_")),
        }
    }

    /// Lets `register` add metrics under the prefix `wattline_<service>_`.
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        register(registry.sub_registry_with_prefix(&self.prefix))
    }

    /// Lets `register` add metrics under the prefix `wattline_`: what several services may count, each its part.
    pub fn register_shared<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        register(registry.sub_registry_with_prefix("wattline"))
    }

    /// All metrics as text.
    ///
    /// # Errors
    /// Never in practice: writing to a string can't fail.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

/// Seconds, for histograms and gauges of time.
pub const SECONDS: Unit = Unit::Seconds;

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn names_carry_the_service() {
        let metrics = Metrics::new("mqtt-ingest");
        let received = Counter::<u64>::default();
        metrics.register(|registry| registry.register("received", "Messages received", received.clone()));
        received.inc_by(3);
        let text = metrics.encode().unwrap();
        assert!(text.contains("wattline_mqtt_ingest_received_total 3"), "{text}");
        assert!(text.contains("process_resident_memory_bytes"), "{text}");
        assert!(text.contains("process_cpu_seconds_total"), "{text}");
        assert!(text.contains("wattline_build{program=\"mqtt-ingest\",version=\""), "{text}");
    }
}
