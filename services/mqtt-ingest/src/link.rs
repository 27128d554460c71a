//! One broker's data path: its connections, one after the other, and the producers behind them.
//!
//! Two tasks on one thread: this one takes messages in, the [acknowledger](crate::acknowledge) takes them out. What they
//! share is the window, and the outbox of the connection that stands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, error, info, instrument, warn};
use wattline_routes::{Judge, Memory, Routes};
use wattline_service::Backoff;

use crate::acknowledge::{Acknowledger, Failure};
use crate::config::{Broker, Config};
use crate::connection::{Cause, Event, Loss, Rebirth, Session, Subscriptions, Watchdog};
use crate::letters::Letters;
use crate::metrics::{BrokerMetrics, Metrics};
use crate::produce::{Deliveries, Producer, check_topics};
use crate::readiness::{Part, Shared};
use crate::receive::{Receiver, Taken, Values};
use crate::window::{Window, wait_until};

/// Of the time that a stop may take, this much is left for closing what is still open.
const STOP_RESERVE: Duration = Duration::from_millis(1500);
/// A broker that has not answered by then is not waited for: all that it can do is to deliver again.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);
/// A connection that ends sooner than this after it was accepted was short-lived.
const SHORT_LIFE: Duration = Duration::from_secs(5);
/// So many short-lived connections in a row look like another client with the same id: not every broker says it.
const SHORT_LIVES_SUSPECT: u32 = 3;

/// What all links of the process share.
pub(crate) struct Common {
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
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
                memory: Memory::default(),
                rebirth: Rebirth::new(settings.sparkplug_rebirth),
                values: Values::default(),
                metrics: metrics.clone(),
                shutdown: common.shutdown.clone(),
            },
            session,
            open_since: None,
            short_lives: 0,
            // Soon at first: a broker may lose what is published before the group is back.
            backoff: Backoff::new(Duration::from_millis(20), Duration::from_secs(10)),
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
            let confirmed_before = self.metrics.readings_confirmed.get();
            if self.produce(Arc::new(producer)).await == Ended::Stopped {
                break;
            }
            if self.metrics.readings_confirmed.get() > confirmed_before {
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
        tokio::select! {
            biased;
            () = failure.said.cancelled() => Ended::ProducerFailed,
            () = deadline => Ended::Stopped,
            () = self.receive_and_drain(producer) => Ended::Stopped,
        }
    }

    /// Without a connection nothing can be acknowledged any more, but Kafka shall still have what was taken.
    async fn receive_and_drain(&mut self, producer: &Producer) {
        self.receive(producer).await;
        wait_until(&self.window, Window::is_empty).await;
    }

    /// Until the service stops and everything is said to the broker, or there is nobody to say it to.
    async fn receive(&mut self, producer: &Producer) {
        let shutdown = self.shutdown.clone();
        loop {
            let event = if self.open_since.is_some() {
                tokio::select! {
                    biased;
                    event = self.session.next() => event,
                    loss = self.watchdog.barks() => Event::Lost(loss),
                }
            } else {
                let connect = async {
                    // The broker delivers again what was not acknowledged, and that needs room.
                    wait_until(&self.window, Window::is_half_free).await;
                    self.session.next().await
                };
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    event = connect => event,
                }
            };
            match event {
                Event::Message(received) => match self.receiver.take(received, producer) {
                    // The broker's queue is endless: others on this thread get their turn.
                    Taken::Admitted => tokio::task::consume_budget().await,
                    Taken::NoRoom => match self.finish_connection().await {
                        Some(loss) => self.lost(loss).await,
                        None => return,
                    },
                },
                Event::Opened { session_present } => self.opened(session_present),
                Event::Subscribed { canary } => self.subscribed(canary),
                Event::Canary(payload) => self.watchdog.canary_is_back(&payload),
                Event::Lost(loss) => self.lost(loss).await,
                // The acknowledger asked for it, as the last thing that this client has to say.
                Event::FarewellAnswered if shutdown.is_cancelled() => return self.session.close().await,
                Event::FarewellAnswered => {}
            }
        }
    }

    /// The window is full and the broker goes on: takes nothing more of this connection, acknowledges what was
    /// taken, and gives the connection up; on the next the broker delivers the rest again. Given up at once, the
    /// acks would be lost with it, and the same messages would come for ever: it is kept until the broker answers what
    /// is asked behind them. None: the service has stopped.
    async fn finish_connection(&mut self) -> Option<Loss> {
        let used = self.window.lock().used();
        let detail = format!(
            "the window is full ({} messages, {} records, {} bytes) and the broker goes on sending: nothing more is \
             taken until all of it is confirmed, then the rest comes again on a new connection",
            used.messages, used.records, used.bytes
        );
        self.mqtt.fails(detail.clone());
        let overrun = Loss::new(Cause::Overrun, detail);
        let (window, outbox, farewell) =
            (Arc::clone(&self.window), self.session.outbox(), self.session.farewell());
        let drained = async {
            wait_until(&window, Window::is_empty).await;
            while outbox.unsubscribe(vec![farewell.clone()]).is_err() {
                outbox.taken().await;
            }
            tokio::time::sleep(ANSWER_WAIT_MAX).await;
        };
        tokio::pin!(drained);
        loop {
            let event = tokio::select! {
                () = &mut drained => return Some(overrun),
                event = self.session.next() => event,
            };
            match event {
                Event::Message(received) => self.receiver.let_go(&received),
                Event::FarewellAnswered if self.shutdown.is_cancelled() => {
                    self.session.close().await;
                    return None;
                }
                Event::FarewellAnswered => return Some(overrun),
                Event::Lost(loss) => return Some(loss),
                Event::Opened { .. } | Event::Subscribed { .. } | Event::Canary(_) => {}
            }
        }
    }

    fn opened(&mut self, session_present: bool) {
        self.window.lock().connection_opened(session_present);
        self.open_since = Some(Instant::now());
        self.metrics.connections.inc();
        self.mqtt.fails("the subscription is not confirmed yet");
    }

    fn subscribed(&mut self, canary: bool) {
        self.metrics.connected.set(1);
        self.mqtt.holds();
        if canary {
            self.watchdog.wakes();
        } else {
            self.watchdog.is_not_allowed();
        }
    }

    /// The connection is gone, or there was none: says so, and waits before the next.
    async fn lost(&mut self, loss: Loss) {
        let lived = self.open_since.map(|since| since.elapsed());
        self.close();
        let loss = self.suspect(loss, lived);
        let cause = loss.cause;
        self.metrics.lost(cause);
        self.mqtt.fails(loss.detail.clone());
        let wait = match cause {
            Cause::TakenOver => self.taken_over_wait.mul_f64(rand::random_range(0.75..=1.0)),
            Cause::Overrun | Cause::Watchdog => Duration::ZERO,
            _ => self.backoff.next_wait(),
        };
        let wait_ms = wait.as_millis();
        if loss.needs_somebody() {
            error!(%cause, "{}. Tried again in {wait_ms} ms", loss.detail);
            self.session.identify_anew();
        } else {
            warn!(%cause, "{}. Tried again in {wait_ms} ms", loss.detail);
        }
        let shutdown = self.shutdown.clone();
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Two processes with one client id throw each other out for ever, and Mosquitto just closes the connection:
    /// several short-lived ones in a row are taken for that. Before that the canaries are given up, if none of them
    /// has ever come back: there are brokers that close the connection to who does what it may not.
    fn suspect(&mut self, loss: Loss, lived: Option<Duration>) -> Loss {
        match (lived, loss.cause) {
            (Some(lived), Cause::Forbidden) if lived < SHORT_LIFE => {
                self.give_canaries_up();
            }
            (Some(lived), Cause::Broken) if lived < SHORT_LIFE => self.short_lives += 1,
            (Some(lived), _) if lived < SHORT_LIFE => {}
            (Some(_), _) => {
                self.short_lives = 0;
                self.backoff.reset();
            }
            (None, _) => self.short_lives = 0,
        }
        if self.short_lives < SHORT_LIVES_SUSPECT {
            return loss;
        }
        self.short_lives = 0;
        if self.give_canaries_up() {
            return loss;
        }
        self.session.taken_over(&format!(
            "{SHORT_LIVES_SUSPECT} times in a row, right after it was accepted: {}",
            loss.detail
        ))
    }

    /// False: there is no reason to, or it was done before.
    fn give_canaries_up(&mut self) -> bool {
        let given_up = self.watchdog.gives_up();
        if given_up {
            self.session.give_canaries_up();
        }
        given_up
    }

    /// Ends the connection's right to acknowledge, and discards what was queued for it, in one step.
    fn close(&mut self) {
        let mut window = self.window.lock();
        window.connection_lost();
        self.session.discard();
        drop(window);
        self.watchdog.sleeps();
        self.open_since = None;
        self.metrics.connected.set(0);
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
