//! A database, a topic and a group of its own for each test, on one stack for all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::{Mutex, OnceCell};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;
use wattline_aggregator::config::{AuditSettings, MarkSettings, RecomputeSettings};
use wattline_aggregator::{Config, audit};
use wattline_localstack::{ServerKind, ServiceKind, ServiceProcess, Stack, StackOptions, poll_until};
use wattline_reading::register::to_wh;
use wattline_reading::{Measures, Reading, Timestamp, wire};
use wattline_service::kafka::{TopicIdentity, topic_identity};
use wattline_service::{Context, DatabaseSettings, KafkaSettings};

/// On a slow machine with others at work.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
const TEMPLATE: &str = "aggregator_template";
const TIMEOUT: Duration = Duration::from_secs(15);

static PORTS: AtomicU16 = AtomicU16::new(0);
static COPYING: Mutex<()> = Mutex::const_new(());
static STACK: OnceCell<Stack> = OnceCell::const_new();

/// What one test has.
pub(crate) struct Scene {
    pub(crate) stack: &'static Stack,
    pub(crate) database: String,
    pub(crate) topic: String,
    /// As the database's owner.
    pub(crate) client: Client,
    pub(crate) identity: TopicIdentity,
    producer: FutureProducer,
    /// Sent and not yet stored, by partition and offset.
    waiting: BTreeMap<(i32, i64), Reading>,
    /// The sink's offsets.
    stored: BTreeMap<i32, i64>,
}

/// An aggregator in this process.
pub(crate) struct Running {
    pub(crate) context: Context,
    task: JoinHandle<Result<()>>,
}

async fn stack() -> &'static Stack {
    let start = async || {
        let options = StackOptions::new().servers(&[ServerKind::Kafka, ServerKind::Timescale]);
        let stack = Stack::start(options).await.unwrap();
        let url = stack.create_database(TEMPLATE, None).await.unwrap();
        wattlinectl::migrate::run(&url).await.unwrap();
        stack
    };
    STACK.get_or_init(start).await
}

/// A reading with both registers, in mWh, and power.
pub(crate) fn reading(meter: &str, ts_us: i64, import_mwh: i64, power_w: f64) -> Reading {
    Reading {
        received_at: Timestamp::now(),
        ..Reading::new(
            meter,
            Timestamp::from_micros(ts_us),
            Measures {
                power_w: Some(power_w),
                energy_import_mwh: Some(import_mwh),
                energy_export_mwh: Some(import_mwh / 3),
                ..Measures::default()
            },
        )
    }
}

/// Midnight UTC so many days ago.
pub(crate) fn days_ago(days: i64) -> i64 {
    const DAY_US: i64 = 86_400_000_000;
    (Timestamp::now().micros() / DAY_US - days) * DAY_US
}

// === impl Scene ===

impl Scene {
    pub(crate) async fn new(name: &str, partitions: i32) -> Self {
        let stack = stack().await;
        let database = format!("aggregator_{name}");
        // Two copies of one template at once are in each other's way.
        let copying = COPYING.lock().await;
        let url = stack.create_database(&database, Some(TEMPLATE)).await.unwrap();
        drop(copying);
        let topic = format!("readings.{name}");
        create_topic(&stack.kafka_brokers(), &topic, partitions).await.unwrap();
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", stack.kafka_brokers())
            .set("partitioner", wattline_reading::topics::PARTITIONER)
            .set("linger.ms", "2")
            .create()
            .unwrap();
        // A new topic is known to the controller first, and to the broker a moment later.
        let identity = poll_until("the topic", PATIENCE, Duration::from_millis(20), async || {
            Ok(topic_identity(producer.client(), &topic, TIMEOUT).ok())
        });
        let identity = identity.await.unwrap();
        Self {
            stack,
            database,
            topic,
            client: connect(&url).await,
            identity,
            producer,
            waiting: BTreeMap::new(),
            stored: BTreeMap::new(),
        }
    }

    /// Impatient, so that tests are quick.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config {
            kafka: KafkaSettings { brokers: self.stack.kafka_brokers(), ..KafkaSettings::default() },
            database: DatabaseSettings {
                url: self.stack.database_url_of(&self.database, "wattline_aggregator"),
                ..DatabaseSettings::default()
            },
            marks: MarkSettings { linger_ms: 50, open_refresh_ms: 500, ..MarkSettings::default() },
            recompute: RecomputeSettings {
                poll_ms: 50,
                advance_ms: 100,
                lock_timeout_ms: 1_000,
                retry_stopped_ms: 1_000,
                ..RecomputeSettings::default()
            },
            audit: AuditSettings { interval_ms: 200 },
            ..Config::default()
        };
        config.input.readings_topic.clone_from(&self.topic);
        config.input.group = format!("group.{}", self.topic);
        config.input.session_timeout_ms = 6_000;
        config.input.identity_check_ms = 500;
        config
    }

    /// An aggregator in this process.
    pub(crate) fn start(&self, config: Config) -> Running {
        let context = Context::new("aggregator");
        Running { task: tokio::spawn(wattline_aggregator::run(config, context.clone())), context }
    }

    /// An aggregator as a process of its own, with further settings as in `AUDIT__INTERVAL_MS`.
    pub(crate) fn start_process(&self, ordinal: u16, settings: &[(&str, &str)]) -> ServiceProcess {
        let program = Path::new(env!("CARGO_BIN_EXE_wattline-aggregator"));
        let config = self.config();
        // Ports are per ordinal of the stack, which all tests share.
        let port = PORTS.fetch_add(1, Ordering::Relaxed);
        let mut environment = self.stack.service_env(ServiceKind::Aggregator, port).unwrap();
        let own = [
            ("KAFKA__INSTANCE_ID", format!("{}-{ordinal}", self.database)),
            ("DATABASE__URL", config.database.url),
            ("INPUT__READINGS_TOPIC", config.input.readings_topic),
            ("INPUT__GROUP", config.input.group),
            ("INPUT__SESSION_TIMEOUT_MS", config.input.session_timeout_ms.to_string()),
            ("MARKS__LINGER_MS", config.marks.linger_ms.to_string()),
            ("MARKS__OPEN_REFRESH_MS", config.marks.open_refresh_ms.to_string()),
            ("RECOMPUTE__ADVANCE_MS", config.recompute.advance_ms.to_string()),
            ("RECOMPUTE__POLL_MS", config.recompute.poll_ms.to_string()),
            ("RECOMPUTE__LOCK_TIMEOUT_MS", config.recompute.lock_timeout_ms.to_string()),
            ("AUDIT__INTERVAL_MS", config.audit.interval_ms.to_string()),
        ];
        environment.extend(own.map(|(name, value)| (format!("WATTLINE__{name}"), value)));
        environment
            .extend(settings.iter().map(|(name, value)| (format!("WATTLINE__{name}"), (*value).to_owned())));
        let log = self.stack.dir().join("logs").join(format!("{}-{ordinal}.log", self.database));
        let bin_dir = program.parent().unwrap();
        ServiceProcess::start(ServiceKind::Aggregator, bin_dir, &environment, log).unwrap()
    }

    /// Publishes; the sink doesn't have them yet.
    pub(crate) async fn send(&mut self, readings: &[Reading]) {
        let mut deliveries = Vec::with_capacity(readings.len());
        for reading in readings {
            let mut value = Vec::new();
            wire::encode_reading(reading, &mut value);
            let record = FutureRecord::to(&self.topic).key(&reading.meter_id).payload(&value);
            deliveries.push(self.producer.send_result(record).map_err(|(error, _)| error).unwrap());
        }
        for (delivery, reading) in deliveries.into_iter().zip(readings) {
            let delivery = delivery.await.unwrap().unwrap();
            self.waiting.insert((delivery.partition, delivery.offset), reading.clone());
        }
    }

    /// The topic is deleted and made anew under its name; the sink has nothing of it.
    pub(crate) async fn make_topic_anew(&mut self) {
        let admin = admin(&self.stack.kafka_brokers());
        admin.delete_topics(&[&self.topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
        create_topic(&self.stack.kafka_brokers(), &self.topic, 1).await.unwrap();
        let before = self.identity.clone();
        let anew = poll_until("the topic anew", PATIENCE, Duration::from_millis(20), async || {
            let now = topic_identity(self.producer.client(), &self.topic, TIMEOUT).ok();
            Ok(now.filter(|now| *now != before))
        });
        self.identity = anew.await.unwrap();
        self.stored.clear();
    }

    /// How many records the first partition has, read one by one.
    pub(crate) fn count_records(&self) -> usize {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.stack.kafka_brokers())
            .set("group.id", "count")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        std::iter::from_fn(|| consumer.poll(TIMEOUT)).take_while(Result::is_ok).count()
    }

    /// Does what an error says.
    pub(crate) async fn obey(&self, error: &str) -> String {
        let url = self.stack.database_url_of(&self.database, "wattline_operator");
        wattlinectl::offsets::obey(error, &self.stack.kafka_brokers(), &url).await.unwrap()
    }

    /// The sink stores everything that was sent: first come, first kept, and its offsets in the same transaction.
    pub(crate) async fn store(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let readings: Vec<&Reading> = waiting.values().collect();
        let mut next: BTreeMap<i32, i64> = self.stored.clone();
        for (partition, offset) in waiting.keys() {
            next.insert(*partition, offset + 1);
        }
        let transaction = self.client.transaction().await.unwrap();
        let meters: BTreeSet<&str> = readings.iter().map(|reading| reading.meter_id.as_str()).collect();
        let meters: Vec<&str> = meters.into_iter().collect();
        let insert = "INSERT INTO meter (meter_id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING";
        transaction.execute(insert, &[&meters]).await.unwrap();
        insert_rows(&transaction, &readings).await;
        for (partition, offset) in &next {
            let upsert = "INSERT INTO stream_offset (consumer, topic, partition, first_offset, next_offset, owner, \
                 cluster_id, topic_id, stored) VALUES ('timescale-sink', $1, $2, 0, $3, $4, $5, $6, $3) \
                 ON CONFLICT (consumer, topic, partition) DO UPDATE SET next_offset = $3, stored = $3";
            let identity = &self.identity;
            transaction
                .execute(
                    upsert,
                    &[&self.topic, partition, offset, &Uuid::nil(), &identity.cluster_id, &identity.topic_id],
                )
                .await
                .unwrap();
        }
        transaction.commit().await.unwrap();
        self.stored = next;
    }

    /// Sends and stores.
    pub(crate) async fn send_and_store(&mut self, readings: &[Reading]) {
        self.send(readings).await;
        self.store().await;
    }

    /// Waits until the aggregator has worked off everything that the sink stored.
    pub(crate) async fn settle(&self) {
        let settled = poll_until("the aggregator", PATIENCE, Duration::from_millis(50), async || {
            Ok(audit::is_settled(&self.client, &self.topic).await?.then_some(()))
        });
        if settled.await.is_err() {
            panic!("not settled; offsets: {}", self.dump_offsets().await);
        }
    }

    pub(crate) async fn dump_offsets(&self) -> String {
        let query = "SELECT consumer, partition, next_offset, owner::text FROM stream_offset ORDER BY 2, 1";
        let rows = self.client.query(query, &[]).await.unwrap();
        let line = |row: &tokio_postgres::Row| {
            let (consumer, partition, next, owner): (String, i32, i64, String) =
                (row.get(0), row.get(1), row.get(2), row.get(3));
            format!("{consumer}/{partition}: {next} {owner}")
        };
        let rest = self.number("SELECT count(*) FROM recompute").await;
        format!("{:?}, recompute {rest}", rows.iter().map(line).collect::<Vec<_>>())
    }

    /// Every stored bucket of every meter equals a recomputation from the raw rows; says how many were compared.
    pub(crate) async fn assert_equals_recomputation(&self) -> usize {
        let mut client = connect(&self.stack.database_url_of(&self.database, "postgres")).await;
        let query = "SELECT m.meter_key, m.meter_id, r.first, r.last FROM meter m JOIN ( \
             SELECT meter_key, min(ts) AS first, max(ts) AS last FROM reading GROUP BY 1) r USING (meter_key)";
        let mut compared = 0;
        for row in self.client.query(query, &[]).await.unwrap() {
            let (key, id): (i32, String) = (row.get(0), row.get(1));
            let (first, last): (DateTime<Utc>, DateTime<Utc>) = (row.get(2), row.get(3));
            let (first_us, last_us) = (first.timestamp_micros(), last.timestamp_micros() + 1);
            let (count, mismatches) = audit::audit(&mut client, key, first_us, last_us).await.unwrap();
            let text: Vec<String> = mismatches.iter().map(ToString::to_string).collect();
            assert!(
                text.is_empty(),
                "{id}: {} of {count} differ: {:#?}",
                text.len(),
                &text[..text.len().min(5)]
            );
            compared += count;
        }
        compared
    }

    /// The sum of a meter's import energies, in mWh.
    pub(crate) async fn total_import_mwh(&self, meter: &str) -> i64 {
        let query = "SELECT round(sum(import_wh::numeric) * 1000)::bigint FROM energy_15m \
             JOIN meter USING (meter_key) WHERE meter_id = $1";
        self.client.query_one(query, &[&meter]).await.unwrap().get::<_, Option<i64>>(0).unwrap_or(0)
    }

    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.client.query_one(query, &[]).await.unwrap().get(0)
    }

    /// Waits until a query that gives a boolean gives true.
    pub(crate) async fn wait_until(&self, query: &str) {
        let holds = poll_until(query, PATIENCE, Duration::from_millis(50), async || {
            Ok(self.client.query_one(query, &[]).await?.get::<_, bool>(0).then_some(()))
        });
        holds.await.unwrap();
    }
}

// === impl Running ===

impl Running {
    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> i64 {
        let text = self.context.metrics.encode().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<f64>().ok()).map_or(0, |value| {
            #[expect(clippy::cast_possible_truncation, reason = "counts")]
            let value = value as i64;
            value
        })
    }

    pub(crate) async fn wait_metric(&self, name: &str, holds: impl Fn(i64) -> bool) {
        let wait = poll_until(name, PATIENCE, Duration::from_millis(20), async || {
            Ok(holds(self.metric(name)).then_some(()))
        });
        wait.await.with_context(|| self.context.metrics.encode().unwrap()).unwrap();
    }

    /// A graceful stop.
    pub(crate) async fn stop(self) {
        self.context.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(async move {
        // Whoever waits for an answer gets the same error.
        let _ = connection.await;
    });
    client
}

pub(crate) fn admin(brokers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap()
}

async fn create_topic(brokers: &str, name: &str, partitions: i32) -> Result<()> {
    let admin = admin(brokers);
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
    for outcome in admin.create_topics([&topic], &options).await? {
        outcome.map_err(|(name, error)| anyhow::anyhow!("{name}: {error}"))?;
    }
    Ok(())
}

async fn insert_rows(transaction: &tokio_postgres::Transaction<'_>, readings: &[&Reading]) {
    let insert = "INSERT INTO reading (meter_key, ts, received_at, ts_source, power_w, energy_import_wh, energy_export_wh) \
         SELECT m.meter_key, u.ts, now(), 'device', u.power, u.import, u.export \
         FROM unnest($1::text[], $2::timestamptz[], $3::float8[], $4::float8[], $5::float8[]) WITH ORDINALITY \
         AS u(id, ts, power, import, export, place) JOIN meter m ON m.meter_id = u.id ORDER BY place \
         ON CONFLICT DO NOTHING";
    let ids: Vec<&str> = readings.iter().map(|reading| reading.meter_id.as_str()).collect();
    let ts: Vec<DateTime<Utc>> = readings.iter().map(|reading| reading.ts.to_chrono()).collect();
    let power: Vec<Option<f64>> = readings.iter().map(|reading| reading.measures.power_w).collect();
    let wh = |mwh: fn(&Measures) -> Option<i64>| -> Vec<Option<f64>> {
        readings.iter().map(|reading| mwh(&reading.measures).map(to_wh)).collect()
    };
    let (import, export) =
        (wh(|measures| measures.energy_import_mwh), wh(|measures| measures.energy_export_mwh));
    transaction.execute(insert, &[&ids, &ts, &power, &import, &export]).await.unwrap();
}
