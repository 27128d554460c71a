//! MQTT 5 → Kafka. A message's PUBACK is sent only after Kafka has confirmed every record made of it.
//!
//! The data path, in its order: [`session`] brings a message, `wattline-routes` finds its route and makes readings of
//! it, [`produce`] gives them to Kafka, [`window`] holds it until Kafka has them all, and the acknowledger sends the
//! ack. Each broker has a data path of its own, on a thread of its own beside librdkafka's, with its own session, window
//! and producer: one that is down, refuses or is slow is nothing to the others.

mod acknowledge;
mod check;
pub mod clock;
pub mod config;
mod forward;
mod letters;
pub mod metrics;
pub mod produce;
mod readiness;
mod rebirth;
pub mod session;
mod watchdog;
pub mod window;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use wattline_routes::{Judge, Memory, Routes};
use wattline_service::{Backoff, Context};

pub use config::Config;

use acknowledge::{Acknowledger, Failure, say_replaced};
use clock::Clock;
use config::Broker;
use forward::{Ended, Receiver, Values};
use letters::Letters;
use metrics::{BrokerMetrics, BrokerWindow, Metrics};
use produce::{Deliveries, Producer, check_topics};
use readiness::{Part, Rule, Shared};
use rebirth::Rebirth;
use session::{Session, Subscriptions};
use watchdog::Watchdog;
use window::Window;

/// Of the time that a stop may take, this much is left for closing what is still open.
const STOP_RESERVE: Duration = Duration::from_millis(1500);

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
    let metrics = Metrics::new(&context.metrics, windows.clone());
    let kafka = Shared::new(&context.ready, "kafka", Rule::All, "not checked yet");
    let mqtt = Shared::new(&context.ready, "mqtt", Rule::Any, "not connected yet");
    let clock = Clock::new(&config.clock, &context.metrics);
    let mut paths = JoinSet::new();
    for (broker, (name, window)) in brokers.into_iter().zip(windows) {
        let common = Common {
            config: config.clone(),
            window,
            metrics: metrics.of(&name),
            kafka: kafka.part(&name, "not checked yet"),
            mqtt: mqtt.part(&name, "not connected yet"),
            shutdown: context.shutdown.clone(),
        };
        paths.spawn(on_own_thread(dropped.clone(), broker, common)?);
    }
    let all = async {
        while let Some(ended) = paths.join_next().await {
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
    common: Common,
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
                        outcome = data_path(&broker, common) => outcome,
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

/// What one broker's data path is given.
struct Common {
    config: Config,
    window: Arc<Mutex<Window>>,
    metrics: BrokerMetrics,
    kafka: Part,
    mqtt: Part,
    shutdown: CancellationToken,
}

/// What the two sides of the data path share, and what outlives a producer.
struct Path {
    config: Config,
    broker: Arc<str>,
    window: Arc<Mutex<Window>>,
    deliveries: Arc<Deliveries>,
    judge: Arc<Judge>,
    metrics: BrokerMetrics,
    kafka: Arc<Part>,
    shutdown: CancellationToken,
    grace: Duration,
}

/// One round for each producer; nearly always there is only one.
async fn data_path(broker: &Broker, common: Common) -> anyhow::Result<()> {
    let (path, mut receiver) = prepare(broker, common)?;
    let wait_max = Duration::from_millis(path.config.produce.retry_wait_ms_max);
    let mut backoff = Backoff::new(Duration::from_millis(500).min(wait_max), wait_max);
    while let Some(producer) = path.open_producer(&mut backoff).await? {
        let confirmed_before = path.metrics.readings_confirmed.get();
        let ended = path.produce(&mut receiver, Arc::new(producer)).await;
        if ended == Ended::Stopped {
            break;
        }
        if path.metrics.readings_confirmed.get() > confirmed_before {
            backoff.reset();
        }
        tokio::select! {
            () = path.shutdown.cancelled() => break,
            () = backoff.wait() => {}
        }
    }
    Ok(())
}

fn prepare(broker: &Broker, common: Common) -> anyhow::Result<(Path, Receiver)> {
    let Common { config, window, metrics, kafka, mqtt, shutdown } = common;
    let (settings, name) = (&broker.mqtt, Arc::from(&*broker.name));
    let routes = Routes::new(&broker.routes, &broker.families)?;
    let subscriptions = Subscriptions::new(settings, &routes);
    let canary_topic = subscriptions.canary_topic().to_owned();
    // Room for every ack of a full window, and for the few requests beside them.
    metrics.watch_clocks(routes.all());
    let session = Session::new(settings, subscriptions, config.window.messages_max + 64)?;
    let watchdog = Watchdog::new(
        session.client(),
        Arc::clone(&window),
        &canary_topic,
        &settings.url,
        Duration::from_millis(settings.watchdog_ms),
        metrics.watchdog_armed.clone(),
    );
    let judge = Arc::new(Judge {
        routes,
        limits: config.limits.clone(),
        payload_bytes_max: settings.payload_bytes_max,
    });
    let deliveries = Arc::new(Deliveries::default());
    let receiver = Receiver {
        session,
        judge: Arc::clone(&judge),
        window: Arc::clone(&window),
        deliveries: Arc::clone(&deliveries),
        metrics: metrics.clone(),
        mqtt,
        watchdog,
        letters: Letters::new(Arc::clone(&judge), Arc::clone(&name)),
        values: Values::default(),
        memory: Memory::default(),
        rebirth: Rebirth::new(settings.sparkplug_rebirth),
        // Soon at first: a broker may lose what is published before the group is back.
        backoff: Backoff::new(Duration::from_millis(20), Duration::from_secs(10)),
        taken_over_wait: Duration::from_millis(settings.taken_over_wait_ms),
        shutdown: shutdown.clone(),
        open: None,
        short_lives: 0,
    };
    let path = Path {
        grace: Duration::from_millis(config.service.stop_deadline_ms).saturating_sub(STOP_RESERVE),
        config,
        broker: name,
        window,
        deliveries,
        judge,
        metrics,
        kafka: Arc::new(kafka),
        shutdown,
    };
    Ok((path, receiver))
}

// === impl Path ===

impl Path {
    /// A producer, as soon as Kafka's topics are right; none if the service shall stop before.
    async fn open_producer(&self, backoff: &mut Backoff) -> anyhow::Result<Option<Producer>> {
        loop {
            let checked = tokio::select! {
                () = self.shutdown.cancelled() => return Ok(None),
                checked = check_topics(&self.config.kafka) => checked,
            };
            match checked {
                Ok(()) => break,
                Err(error) => {
                    let why = format!("{error:#}");
                    let wait = backoff.next_wait();
                    error!(
                        "{why}. Nothing is taken until that is cured; tried again in {} ms",
                        wait.as_millis()
                    );
                    self.kafka.fails(why);
                    tokio::select! {
                        () = self.shutdown.cancelled() => return Ok(None),
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
        let Config { kafka, produce, window, .. } = &self.config;
        let producer = Producer::new(kafka, produce, window, Arc::clone(&self.deliveries))?;
        self.kafka.holds();
        Ok(Some(producer))
    }

    /// Takes messages and acknowledges them, until the service stops or the producer fails.
    async fn produce(&self, receiver: &mut Receiver, producer: Arc<Producer>) -> Ended {
        let failure = Arc::new(Failure::default());
        let acknowledger = Acknowledger {
            window: Arc::clone(&self.window),
            deliveries: Arc::clone(&self.deliveries),
            client: receiver.session.client(),
            farewell: receiver.session.farewell(),
            producer: Arc::clone(&producer),
            letters: Letters::new(Arc::clone(&self.judge), Arc::clone(&self.broker)),
            metrics: self.metrics.clone(),
            kafka: Arc::clone(&self.kafka),
            stalled_after: Duration::from_millis(self.config.produce.stalled_after_ms),
            shutdown: self.shutdown.clone(),
            failure: Arc::clone(&failure),
        };
        let acknowledging = tokio::spawn(acknowledger.run());
        let ended = receiver.run(&producer, &failure, self.grace).await;
        if ended == Ended::ProducerFailed {
            self.kafka.fails(failure.why());
            let abandoned = self.window.lock().abandon();
            self.metrics.producers_replaced.inc();
            say_replaced(&failure.why(), abandoned);
        } else {
            self.say_stopped();
        }
        acknowledging.abort();
        // Its destructor gives up what is queued and joins librdkafka's threads: not on this thread.
        drop(tokio::task::spawn_blocking(move || drop(producer)));
        ended
    }

    fn say_stopped(&self) {
        let left = self.window.lock().used().messages;
        if left == 0 {
            info!("everything that was taken is in Kafka and acknowledged; the broker keeps the session");
        } else {
            warn!(
                left,
                "{left} messages were not confirmed by Kafka in time and are not acknowledged: the broker \
                 delivers those of QoS 1 again"
            );
        }
    }
}
