//! MQTT 5 → Kafka. A message's PUBACK is sent only after Kafka has confirmed every record made of it.
//!
//! The data path, in its order: the [`connection`] brings a message, `wattline-routes` finds its route and makes
//! readings of it, [`produce`] gives them to Kafka, [`window`] holds it until Kafka has them all, and the
//! acknowledger sends the ack. Each broker has a data path of its own (`link`), on a thread of its own beside librdkafka's,
//! with its own session, window and producer: one that is down, refuses or is slow is nothing to the others.

mod acknowledge;
mod check;
pub mod clock;
pub mod config;
pub mod connection;
pub mod letters;
mod link;
pub mod metrics;
pub mod produce;
mod readiness;
mod receive;
pub mod received;
pub mod window;

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wattline_service::Context;

pub use config::Config;

use clock::Clock;
use config::Broker;
use letters::Quota;
use link::{Common, Link};
use metrics::{BrokerWindow, Metrics};
use readiness::{Rule, Shared};
use window::Window;

/// Runs the service until it is told to stop.
///
/// Dropped, it ends at once and acknowledges nothing more, as if the process were killed.
///
/// # Errors
/// Where the configuration can't be used.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let dropped = CancellationToken::new();
    let _guard = dropped.clone().drop_guard();
    let brokers = config.brokers()?;
    let windows: Vec<BrokerWindow> = brokers
        .iter()
        .map(|broker| (broker.name.clone(), Arc::new(Mutex::new(Window::new(config.window)))))
        .collect();
    let clock = Clock::new(&config.clock, &context.metrics);
    let common = Arc::new(Common {
        letters: Arc::new(Mutex::new(Quota::new(config.dead_letters, Instant::now()))),
        metrics: Metrics::new(&context.metrics, windows.clone()),
        kafka: Shared::new(&context.ready, "kafka", Rule::All, "not checked yet"),
        mqtt: Shared::new(&context.ready, "mqtt", Rule::Any, "not connected yet"),
        shutdown: context.shutdown.clone(),
        config,
    });
    let mut links = JoinSet::new();
    for (broker, (_, window)) in brokers.into_iter().zip(windows) {
        links.spawn(on_own_thread(dropped.clone(), broker, window, Arc::clone(&common))?);
    }
    let all = async {
        while let Some(ended) = links.join_next().await {
            ended.context("the data path has panicked")??;
        }
        Ok(())
    };
    tokio::select! {
        ended = all => ended,
        () = clock.watch() => Ok(()),
    }
}

/// Runs one broker's data path; the result is its end.
fn on_own_thread(
    dropped: CancellationToken,
    broker: Broker,
    window: Arc<Mutex<Window>>,
    common: Arc<Common>,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>>> {
    let (ended, end) = oneshot::channel();
    let name = broker.name.clone();
    let data_path = move || {
        let outcome = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime of the data path")
            .and_then(|runtime| {
                let outcome = runtime.block_on(async {
                    tokio::select! {
                        () = dropped.cancelled() => Ok(()),
                        outcome = data_path(&broker, window, &common) => outcome,
                    }
                });
                runtime.shutdown_background();
                outcome
            });
        let _ = ended.send(outcome);
    };
    std::thread::Builder::new()
        .name(format!("data-path-{name}"))
        .spawn(data_path)
        .context("cannot start the thread of the data path")?;
    Ok(async move {
        let outcome = end.await.with_context(|| format!("the data path of broker {name:?} has panicked"))?;
        outcome.with_context(|| format!("broker {name:?}"))
    })
}

async fn data_path(broker: &Broker, window: Arc<Mutex<Window>>, common: &Common) -> anyhow::Result<()> {
    Link::build(broker, window, common)?.run().await
}
