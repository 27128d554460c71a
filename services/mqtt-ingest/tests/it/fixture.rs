//! What the tests share: one stack for the quiet ones, one for those that break servers, and the service in this
//! process with a world of its own: client id, group and MQTT topics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::task::JoinHandle;
use wattline_formats::Family;
use wattline_localstack::{ServerKind, Stack, StackOptions, poll_until};
use wattline_mqtt_ingest::Config;
use wattline_reading::topics::{DEAD_LETTERS, READINGS, Topic};
use wattline_reading::{DeadLetter, Reading, wire};
use wattline_routes::RouteSettings;
use wattline_service::{Context, ServiceSettings};

use crate::publisher::Publisher;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const READ_PATIENCE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(20);

/// One test's own corner of a stack.
pub(crate) struct World {
    pub(crate) stack: &'static Stack,
    pub(crate) name: &'static str,
    _alone: Option<MutexGuard<'static, ()>>,
}

/// The service, running in this process.
pub(crate) struct Ingest {
    pub(crate) context: Context,
    running: JoinHandle<anyhow::Result<()>>,
}

static QUIET: OnceCell<Stack> = OnceCell::const_new();
static FAULTY: OnceCell<Stack> = OnceCell::const_new();
static ALONE: LazyLock<Mutex<()>> = LazyLock::new(|| Mutex::new(()));

async fn start_stack() -> Stack {
    let options = StackOptions::new().servers(&[ServerKind::Mosquitto, ServerKind::Kafka]);
    let stack = Stack::start(options).await.expect("a stack");
    wattlinectl::topics::create(&stack.kafka_brokers(), 1).await.expect("topics");
    stack
}

/// A test that leaves the servers alone.
pub(crate) async fn quiet(name: &'static str) -> World {
    let stack = QUIET.get_or_init(start_stack).await;
    World { stack, name, _alone: None }
}

/// A test that stops, freezes or breaks servers: one at a time.
pub(crate) async fn faulty(name: &'static str) -> World {
    let alone = ALONE.lock().await;
    let stack = FAULTY.get_or_init(start_stack).await;
    World { stack, name, _alone: Some(alone) }
}

/// Another MQTT broker, with TLS, for one test alone.
pub(crate) async fn another_broker() -> Stack {
    let options = StackOptions::new().servers(&[ServerKind::Mosquitto]).mqtt_tls(true);
    Stack::start(options).await.expect("a broker")
}

// === impl World ===

impl World {
    /// The default configuration for this stack, with routes for this world's topics only.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config {
            service: ServiceSettings { stop_deadline_ms: 10_000, ..ServiceSettings::default() },
            ..Config::default()
        };
        config.kafka.brokers = self.stack.kafka_brokers();
        config.mqtt.url = self.stack.mqtt_url();
        config.mqtt.client_id = format!("ingest-{}", self.name);
        config.mqtt.username = Some("ingest".to_owned());
        config.mqtt.password_file = Some(self.stack.mqtt_password_file("ingest"));
        config.mqtt.group = Some(self.name.to_owned());
        config.mqtt.session_expiry_s = 3600;
        config.families = Vec::new();
        let filter = format!("wattline/{}/+/reading", self.name);
        let meter_id = Some("{2}-{3}".to_owned());
        config.routes =
            vec![RouteSettings { meter_id, ..RouteSettings::new(&filter, Family::WATTLINE_JSON) }];
        config
    }

    /// The MQTT topic of a meter of this world.
    pub(crate) fn topic(&self, meter: impl std::fmt::Display) -> String {
        format!("wattline/{}/{meter}/reading", self.name)
    }

    /// The id that a meter of this world gets.
    pub(crate) fn meter_id(&self, meter: impl std::fmt::Display) -> String {
        format!("{}-{meter}", self.name)
    }

    pub(crate) async fn publisher(&self) -> Publisher {
        Publisher::connect(self.stack, self.name).await
    }

    /// A publisher at another broker.
    pub(crate) async fn publisher_at(&self, broker: &Stack) -> Publisher {
        Publisher::connect(broker, self.name).await
    }

    /// Starts the service and waits until it is ready.
    pub(crate) async fn start(&self, config: Config) -> Ingest {
        let ingest = Ingest::begin(config);
        ingest.until("ready", || ingest.context.ready.is_ready()).await;
        ingest
    }

    /// This world's readings that Kafka has, in the order of each partition, once `done` says so.
    pub(crate) async fn readings(&self, done: impl Fn(&[Reading]) -> bool) -> Vec<Reading> {
        let prefix = format!("{}-", self.name);
        let decode = |key: Option<&[u8]>, value: &[u8]| {
            let reading = wire::decode_reading(key, value).expect("a reading");
            reading.meter_id.starts_with(&prefix).then_some(reading)
        };
        read(&self.stack.kafka_brokers(), READINGS, decode, done).await
    }

    /// As [`World::readings`], by meter id, once there are so many meters.
    pub(crate) async fn readings_by_meter(&self, meters: usize) -> BTreeMap<String, Vec<Reading>> {
        let by_meter = |readings: &[Reading]| {
            let mut meters: BTreeMap<String, Vec<Reading>> = BTreeMap::new();
            for reading in readings {
                meters.entry(reading.meter_id.clone()).or_default().push(reading.clone());
            }
            meters
        };
        let found = by_meter(&self.readings(|readings| by_meter(readings).len() >= meters).await);
        assert_eq!(found.len(), meters, "meters in Kafka");
        found
    }

    /// The readings of the meters 0 to `meters` - 1, of which none may be missing.
    pub(crate) async fn readings_of_all(&self, meters: u64) -> BTreeMap<String, Vec<Reading>> {
        let mut wanted: BTreeSet<String> = (0..meters).map(|meter| self.meter_id(meter)).collect();
        let all = usize::try_from(meters).expect("a small number");
        let distinct = |readings: &[Reading]| {
            readings.len() >= all
                && readings.iter().map(|reading| &reading.meter_id).collect::<BTreeSet<_>>().len() >= all
        };
        let mut found: BTreeMap<String, Vec<Reading>> = BTreeMap::new();
        for reading in self.readings(distinct).await {
            wanted.remove(&reading.meter_id);
            found.entry(reading.meter_id.clone()).or_default().push(reading);
        }
        let shown: Vec<_> = wanted.iter().take(5).collect();
        assert!(wanted.is_empty(), "{} of {meters} meters are missing in Kafka: {shown:?}, …", wanted.len());
        found
    }

    /// This world's dead letters.
    pub(crate) async fn dead_letters(&self, count: usize) -> Vec<DeadLetter> {
        let prefix = format!("wattline/{}/", self.name);
        let decode = |_: Option<&[u8]>, value: &[u8]| {
            let letter = wire::decode_dead_letter(value).expect("a dead letter");
            letter.mqtt_topic.starts_with(&prefix).then_some(letter)
        };
        let brokers = self.stack.kafka_brokers();
        read(&brokers, DEAD_LETTERS, decode, |letters| letters.len() >= count).await
    }
}

// === impl Ingest ===

impl Ingest {
    /// Starts the service; it need not become ready.
    pub(crate) fn begin(config: Config) -> Self {
        let context = Context::new("mqtt-ingest");
        let running = tokio::spawn(wattline_mqtt_ingest::run(config, context.clone()));
        Self { context, running }
    }

    /// Waits for a condition.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let waited = poll_until(what, PATIENCE, STEP, async || Ok(condition().then_some(()))).await;
        let missing = self.context.ready.missing();
        waited.unwrap_or_else(|error| panic!("{error:#}; not ready: {missing:?}; {}", self.door()));
    }

    /// Waits until nothing is in flight and so many messages were settled.
    pub(crate) async fn until_settled(&self, count: u64) {
        self.until(&format!("{count} settled"), || self.settled() >= count && self.sum("in_flight") == 0)
            .await;
        self.assert_equation();
    }

    /// Forwarded, ignored and dead-lettered.
    pub(crate) fn settled(&self) -> u64 {
        self.sum("forwarded_total") + self.sum("ignored_total") + self.sum("dead_lettered_total")
    }

    /// Sum of a metric over its labels.
    pub(crate) fn sum(&self, name: &str) -> u64 {
        sum(&self.metrics(), name)
    }

    /// What `/metrics` would show.
    pub(crate) fn metrics(&self) -> String {
        self.context.metrics.encode().expect("metrics")
    }

    /// Sum of those of a metric's values that have a label.
    pub(crate) fn sum_of(&self, name: &str, label: &str, value: &str) -> u64 {
        let text = self.metrics();
        let wanted = format!("{label}=\"{value}\"");
        let lines: Vec<_> = text.lines().filter(|line| line.contains(&wanted)).collect();
        sum(&lines.join("\n"), name)
    }

    /// The equation of promise 3, in one scrape, of the process and of each broker.
    pub(crate) fn assert_equation(&self) {
        let text = self.metrics();
        let broker = |line: &str| Some(line.split_once("broker=\"")?.1.split('"').next()?.to_owned());
        let brokers: BTreeSet<_> = text.lines().filter_map(broker).collect();
        assert!(!brokers.is_empty());
        let whole = text.clone();
        let parts = brokers.iter().map(|broker| {
            let own = text.lines().filter(|line| line.contains(&format!("broker=\"{broker}\"")));
            own.collect::<Vec<_>>().join("\n")
        });
        for text in parts.chain([whole]) {
            let closed =
                ["forwarded_total", "ignored_total", "dead_lettered_total", "shed_total", "in_flight"]
                    .map(|name| sum(&text, name));
            assert_eq!(sum(&text, "received_total"), closed.iter().sum::<u64>(), "{}", self.door());
        }
    }

    /// The account, for a person.
    pub(crate) fn door(&self) -> String {
        let text = self.metrics();
        let shown = |line: &&str| line.starts_with("wattline_mqtt_ingest_") && !line.ends_with(" 0");
        text.lines().filter(shown).filter(|line| !line.contains("bucket")).collect::<Vec<_>>().join("\n")
    }

    /// Why it is not ready.
    pub(crate) fn missing(&self) -> String {
        self.context.ready.missing().join("; ")
    }

    /// Ends it as `kill -9` would: nothing more is sent to anybody.
    pub(crate) async fn kill(self) {
        self.running.abort();
        let _ = self.running.await;
    }

    /// Asks it to stop and waits for the end.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.context.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.running).await.expect("an end in time").expect("no panic")
    }
}

/// Sum over the labels of one of the service's metrics.
pub(crate) fn sum(text: &str, name: &str) -> u64 {
    let wanted = format!("wattline_mqtt_ingest_{name}");
    let values = text.lines().filter_map(|line| {
        let (metric, value) = line.rsplit_once(' ')?;
        (metric.split('{').next()? == wanted).then(|| value.parse::<u64>().expect("a whole number"))
    });
    values.sum()
}

/// Everything in a topic that `decode` keeps, once `done` says so or time is up.
async fn read<T: Send + 'static>(
    brokers: &str,
    topic: Topic,
    decode: impl Fn(Option<&[u8]>, &[u8]) -> Option<T>,
    done: impl Fn(&[T]) -> bool,
) -> Vec<T> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "none").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    for partition in 0..topic.partitions {
        assignment.add_partition_offset(topic.name, partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&assignment).expect("an assignment");
    let mut found = Vec::new();
    let end = tokio::time::Instant::now() + READ_PATIENCE;
    while !done(&found) && tokio::time::Instant::now() < end {
        match consumer.poll(Duration::ZERO) {
            Some(Ok(record)) => found.extend(decode(record.key(), record.payload().unwrap_or_default())),
            _ => tokio::time::sleep(STEP).await,
        }
    }
    // What else is there: a record too many must be seen.
    let quiet_end = tokio::time::Instant::now() + Duration::from_millis(300);
    while tokio::time::Instant::now() < quiet_end {
        match consumer.poll(Duration::ZERO) {
            Some(Ok(record)) => found.extend(decode(record.key(), record.payload().unwrap_or_default())),
            _ => tokio::time::sleep(STEP).await,
        }
    }
    found
}

/// A reading of the given time, so that each is told apart.
pub(crate) fn payload(number: u64) -> String {
    let ts_us = wattline_reading::Timestamp::now().micros() - 60_000_000;
    format!(r#"{{"ts":{ts_us},"power_w":{number},"energy_import_wh":{number}.125}}"#)
}
