//! Sinks: in the test's own process, or as a process of their own.

use std::path::Path;
use std::time::Duration;

use tokio::task::JoinHandle;
use wattline_localstack::{ServiceKind, ServiceProcess, poll_until};
use wattline_service::Context;
use wattline_timescale_sink::Config;

use super::DEADLINE;

/// A running sink.
pub(crate) struct Running {
    pub(crate) context: Context,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        let context = Context::new("timescale-sink");
        let task = tokio::spawn(wattline_timescale_sink::run(config, context.clone()));
        Self { context, task }
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(self) -> Self {
        poll_until("the sink to be ready", DEADLINE, Duration::from_millis(20), async || {
            assert!(!self.task.is_finished(), "the sink has ended");
            Ok(self.context.ready.is_ready().then_some(()))
        })
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", self.context.ready.missing()));
        self
    }

    /// Waits until it says that this is missing.
    pub(crate) async fn not_ready(&self, why: &str) {
        let what = format!("the sink to miss {why}");
        poll_until(&what, DEADLINE, Duration::from_millis(20), async || {
            Ok(self.context.ready.missing().iter().any(|missing| missing.contains(why)).then_some(()))
        })
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", self.context.ready.missing()));
    }

    /// Stops it as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.context.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap().unwrap();
    }

    /// Ends it at whatever it is doing, without a word.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Waits until a metric has this value: it follows the commit, and a rebalance takes it away for a moment.
    pub(crate) async fn wait_metric(&self, name: &str, wanted: f64) {
        let what = format!("{name} to be {wanted}");
        poll_until(&what, DEADLINE, Duration::from_millis(20), async || {
            Ok((self.metric(name) == Some(wanted)).then_some(()))
        })
        .await
        .unwrap();
    }

    /// The value of a metric, with its labels as they are written.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let text = self.context.metrics.encode().unwrap();
        let line =
            text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
        line.rsplit(' ').next()?.parse().ok()
    }
}

/// The environment that gives a process this configuration.
pub(crate) fn environment(config: &Config) -> Vec<(String, String)> {
    let Config { kafka, database, input, batch, meters, store, service, traces: _ } = config;
    let pairs = [
        ("SERVICE__ADMIN_LISTEN", service.admin_listen.to_string()),
        ("KAFKA__BROKERS", kafka.brokers.clone()),
        ("KAFKA__INSTANCE_ID", kafka.instance_id.clone().unwrap_or_default()),
        ("DATABASE__URL", database.url.clone()),
        ("INPUT__GROUP", input.group.clone()),
        ("INPUT__READINGS_TOPIC", input.readings_topic.clone()),
        ("INPUT__DEAD_LETTERS_TOPIC", input.dead_letters_topic.clone()),
        ("INPUT__SESSION_TIMEOUT_MS", input.session_timeout_ms.to_string()),
        ("BATCH__WRITERS", batch.writers.to_string()),
        ("BATCH__ROWS_MAX", batch.rows_max.to_string()),
        ("BATCH__BYTES_MAX", batch.bytes_max.to_string()),
        ("BATCH__LINGER_MS", batch.linger_ms.to_string()),
        ("METERS__NEW_PER_MINUTE_MAX", meters.new_per_minute_max.to_string()),
        ("STORE__LOCK_TIMEOUT_MS", store.lock_timeout_ms.to_string()),
        ("STORE__RETRY_STOPPED_MS", store.retry_stopped_ms.to_string()),
    ];
    pairs.into_iter().map(|(key, value)| (format!("WATTLINE__{key}"), value)).collect()
}

/// Starts a sink as a process of its own.
pub(crate) fn start_process(config: &Config, log: &Path) -> ServiceProcess {
    let program = Path::new(env!("CARGO_BIN_EXE_wattline-timescale-sink"));
    let folder = program.parent().unwrap();
    ServiceProcess::start(ServiceKind::TimescaleSink, folder, &environment(config), log).unwrap()
}
