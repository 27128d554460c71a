//! One broker's data path: its connections, one after the other, and the producers behind them.
//!
//! Two tasks on one thread: this one takes messages in, the [acknowledger](crate::acknowledge) takes them out. What they
//! share is the window, and the outbox of the connection that stands.

mod connections;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, error, info, instrument, warn};
use wattline_routes::{Judge, Memory, Routes};
use wattline_service::Backoff;

use crate::acknowledge::{Acknowledger, Failure};
use crate::config::{Broker, Config};
use crate::connection::{Rebirth, Session, Subscriptions, Watchdog};
use crate::letters::{Letters, Quota};
use crate::metrics::{BrokerMetrics, Metrics};
use crate::produce::{Deliveries, Producer, check_topics, grown_topic};
use crate::readiness::{Part, Shared};
use crate::receive::{Receiver, Values};
use crate::window::{Window, wait_until};

/// Of the time that a stop may take, this much is left for closing what is still open.
const STOP_RESERVE: Duration = Duration::from_millis(1500);

/// What all links of the process share.
pub(crate) struct Common {
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    /// What is left for dead letters.
    pub(crate) letters: Arc<Mutex<Quota>>,
    /// Readiness: all links need Kafka.
    pub(crate) kafka: Arc<Shared>,
    /// Readiness: one broker is enough.
    pub(crate) mqtt: Arc<Shared>,
    pub(crate) shutdown: CancellationToken,
}

/// See the module.
pub(crate) struct Link {
    broker: Arc<str>,
    config: Config,
    session: Session,
    /// Since when a connection stands.
    open_since: Option<Instant>,
    watchdog: Watchdog,
    /// Connections in a row that the peer ended soon after it had accepted them.
    short_lives: u32,
    /// Between two connections.
    backoff: Backoff,
    taken_over_wait: Duration,
    receiver: Receiver,
    window: Arc<Mutex<Window>>,
    deliveries: Arc<Deliveries>,
    judge: Arc<Judge>,
    metrics: BrokerMetrics,
    kafka: Arc<Part>,
    mqtt: Part,
    shutdown: CancellationToken,
}

/// Why a producer's time has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// The service stops, and the connection is closed.
    Stopped,
    /// The producer must be replaced; the connection was dropped.
    ProducerFailed,
}

// === impl Link ===

impl Link {
    /// The link to `broker`; nothing is connected yet.
    ///
    /// # Errors
    /// Where the broker's settings can't be used, or name a file that can't be read.
    pub(crate) fn build(
        broker: &Broker,
        window: Arc<Mutex<Window>>,
        common: &Common,
    ) -> anyhow::Result<Self> {
        let (settings, name) = (&broker.mqtt, Arc::<str>::from(&*broker.name));
        let metrics = common.metrics.of(&name);
        let routes = Routes::new(&broker.routes, &broker.families)?;
        metrics.watch_clocks(routes.all());
        let subscriptions = Subscriptions::new(settings, &routes);
        let canary_topic = subscriptions.canary_topic().to_owned();
        // Room for every ack of a full window, and for the few requests beside them.
        let session = Session::new(settings, subscriptions, common.config.window.messages_max + 64)?;
        let judge = Arc::new(Judge {
            routes,
            limits: common.config.limits.clone(),
            payload_bytes_max: settings.payload_bytes_max,
        });
        let deliveries = Arc::new(Deliveries::default());
        Ok(Self {
            watchdog: Watchdog::new(
                session.outbox(),
                Arc::clone(&window),
                &canary_topic,
                &settings.url,
                Duration::from_millis(settings.watchdog_ms),
                metrics.watchdog_armed.clone(),
            ),
            receiver: Receiver {
                window: Arc::clone(&window),
                deliveries: Arc::clone(&deliveries),
                outbox: session.outbox(),
                judge: Arc::clone(&judge),
                letters: Letters::new(Arc::clone(&judge), Arc::clone(&name)),
                quota: Arc::clone(&common.letters),
                memory: Memory::default(),
                rebirth: Rebirth::new(settings.sparkplug_rebirth),
                values: Values::default(),
                metrics: metrics.clone(),
                shutdown: common.shutdown.clone(),
            },
            session,
            open_since: None,
            short_lives: 0,
            // Soon at first: a broker may lose what is published before the group is back. And never long: it is a few clients
            // that all readings wait for.
            backoff: Backoff::new(Duration::from_millis(20), Duration::from_secs(3)),
            taken_over_wait: Duration::from_millis(settings.taken_over_wait_ms),
            kafka: Arc::new(common.kafka.part(&name, "not checked yet")),
            mqtt: common.mqtt.part(&name, "not connected yet"),
            config: common.config.clone(),
            shutdown: common.shutdown.clone(),
            broker: name,
            window,
            deliveries,
            judge,
            metrics,
        })
    }

    /// One round for each producer, until the service stops; nearly always there is only one.
    ///
    /// # Errors
    /// Where a producer can't be made of the settings.
    #[instrument(name = "broker", skip_all, fields(broker = %self.broker))]
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let wait_max = Duration::from_millis(self.config.produce.retry_wait_ms_max);
        let mut backoff = Backoff::new(Duration::from_millis(500).min(wait_max), wait_max);
        while let Some(producer) = self.open_producer(&mut backoff).await? {
            let began = Instant::now();
            if self.produce(Arc::new(producer)).await == Ended::Stopped {
                break;
            }
            // Not because something was confirmed: of a cause that stays, such as one topic of two that may not be written, each
            // producer confirms some.
            if began.elapsed() > wait_max {
                backoff.reset();
            }
            tokio::select! {
                () = self.shutdown.cancelled() => break,
                () = backoff.wait() => {}
            }
        }
        Ok(())
    }

    /// A producer, as soon as Kafka's topics are right; none if the service shall stop before.
    async fn open_producer(&self, backoff: &mut Backoff) -> anyhow::Result<Option<Producer>> {
        loop {
            let checked = tokio::select! {
                () = self.shutdown.cancelled() => return Ok(None),
                checked = check_topics(&self.config.kafka) => checked,
            };
            let Err(error) = checked else { break };
            let why = format!("{error:#}");
            let wait = backoff.next_wait();
            error!("{why}. Nothing is taken until that is cured; tried again in {} ms", wait.as_millis());
            self.kafka.fails(why);
            tokio::select! {
                () = self.shutdown.cancelled() => return Ok(None),
                () = tokio::time::sleep(wait) => {}
            }
        }
        let Config { kafka, produce, window, .. } = &self.config;
        let producer = Producer::new(kafka, produce, window, Arc::clone(&self.deliveries))?;
        self.kafka.holds();
        Ok(Some(producer))
    }

    /// Takes messages and acknowledges them, until the service stops or the producer fails.
    async fn produce(&mut self, producer: Arc<Producer>) -> Ended {
        let failure = Arc::new(Failure::default());
        let acknowledger = Acknowledger {
            window: Arc::clone(&self.window),
            deliveries: Arc::clone(&self.deliveries),
            outbox: self.session.outbox(),
            farewell: self.session.farewell(),
            producer: Arc::clone(&producer),
            letters: Letters::new(Arc::clone(&self.judge), Arc::clone(&self.broker)),
            metrics: self.metrics.clone(),
            kafka: Arc::clone(&self.kafka),
            stalled_after: Duration::from_millis(self.config.produce.stalled_after_ms),
            shutdown: self.shutdown.clone(),
            failure: Arc::clone(&failure),
        };
        let acknowledging = tokio::spawn(acknowledger.run().instrument(Span::current()));
        let ended = self.receive_until(&producer, &failure).await;
        // Whatever it was doing: the connection ends with it.
        self.close();
        match ended {
            Ended::ProducerFailed => self.give_producer_up(&failure.why()),
            Ended::Stopped => self.say_stopped(),
        }
        acknowledging.abort();
        // Its destructor gives up what is queued, under librdkafka's locks: not on this thread.
        drop(tokio::task::spawn_blocking(move || drop(producer)));
        ended
    }

    /// What is still in flight at the end stays in the window.
    async fn receive_until(&mut self, producer: &Producer, failure: &Failure) -> Ended {
        let stop_deadline = Duration::from_millis(self.config.service.stop_deadline_ms);
        let (shutdown, grace) = (self.shutdown.clone(), stop_deadline.saturating_sub(STOP_RESERVE));
        let deadline = async {
            shutdown.cancelled().await;
            tokio::time::sleep(grace).await;
        };
        let check_every = Duration::from_millis(self.config.produce.topics_check_ms);
        tokio::select! {
            biased;
            () = failure.said.cancelled() => Ended::ProducerFailed,
            why = grown_topic(producer.look(), check_every) => {
                failure.say(why);
                Ended::ProducerFailed
            }
            () = deadline => Ended::Stopped,
            () = self.receive_and_drain(producer) => Ended::Stopped,
        }
    }

    /// Without a connection nothing can be acknowledged any more, but Kafka shall still have what was taken.
    async fn receive_and_drain(&mut self, producer: &Producer) {
        self.receive(producer).await;
        wait_until(&self.window, Window::is_empty).await;
    }

    fn give_producer_up(&self, why: &str) {
        self.kafka.fails(why);
        let abandoned = self.window.lock().abandon();
        self.metrics.producers_replaced.inc();
        error!(
            abandoned,
            "{why}. Nothing is acknowledged until that is cured; {abandoned} messages in flight are left to the \
             broker, which delivers those of QoS 1 again"
        );
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
