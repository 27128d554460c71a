//! What the tests of dead letters share: Kafka, the database and one sink, which they have one after the other. Each
//! uses MQTT topics and meters of its own, below its name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::Client;
use wattline_localstack::{ServerKind, Stack, StackOptions, poll_until};
use wattline_reading::topics::{DEAD_LETTERS, PARTITIONER, READINGS, Topic};
use wattline_reading::{DeadLetter, Reading, Timestamp, wire};
use wattline_service::{Context, DatabaseSettings};

/// A slow machine with other work on it: this means "never".
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static ENV: OnceCell<Env> = OnceCell::const_new();
static TURN: Mutex<()> = Mutex::const_new(());

/// The servers, a sink, and what writes into Kafka beside it.
pub(crate) struct Env {
    pub(crate) stack: Stack,
    /// The database as its owner.
    pub(crate) owner: Client,
    producer: BaseProducer,
    consumer: BaseConsumer,
    files: TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) error: String,
}

/// What became of the records of the readings topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    pub(crate) stored: i64,
    pub(crate) duplicate: i64,
    pub(crate) conflict: i64,
    pub(crate) dead_lettered: i64,
}

/// Runs one test; nobody else writes meanwhile.
pub(crate) fn run<F: Future<Output = ()>>(test: impl FnOnce(&'static Env) -> F) {
    RUNTIME.block_on(async {
        let env = ENV.get_or_init(Env::start).await;
        let turn = TURN.lock().await;
        test(env).await;
        drop(turn);
    });
}

/// 2026-11-20T10:00:00Z and so many seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_795_168_800 + seconds) * 1_000_000)
}

/// A message that no route took, which arrived so many seconds after [`at`]`(0)`.
pub(crate) fn letter(mqtt_topic: &str, payload: &str, seconds: i64) -> DeadLetter {
    DeadLetter {
        mqtt_topic: mqtt_topic.to_owned(),
        payload: payload.as_bytes().to_vec(),
        reason: "no_route".to_owned(),
        detail: format!("no route takes the topic {mqtt_topic:?}"),
        received_at: at(seconds),
        retained: false,
        route: None,
        broker: None,
    }
}

// === impl Env ===

impl Env {
    async fn start() -> Self {
        let servers = [ServerKind::Kafka, ServerKind::Timescale];
        let stack = Stack::start(StackOptions::new().servers(&servers)).await.unwrap();
        wattlinectl::migrate::run(&stack.database_url()).await.unwrap();
        wattlinectl::topics::create(&stack.kafka_brokers(), 1).await.unwrap();
        let mut config = wattline_timescale_sink::Config::default();
        config.kafka.brokers = stack.kafka_brokers();
        config.database.url = stack.database_url_as("wattline_sink");
        config.batch.linger_ms = 50;
        config.meters.new_per_minute_max = 1_000_000;
        tokio::spawn(wattline_timescale_sink::run(config, Context::new("timescale-sink")));
        let owner = connect(&stack.database_url()).await;
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", stack.kafka_brokers()).set("partitioner", PARTITIONER);
        let (producer, consumer) = (client.create().unwrap(), client.create().unwrap());
        Self { stack, owner, producer, consumer, files: tempfile::tempdir().unwrap() }
    }

    /// Writes letters as mqtt-ingest does, and waits until the table has them.
    pub(crate) async fn store(&self, letters: &[DeadLetter]) {
        for letter in letters {
            let mut value = Vec::new();
            wire::encode_dead_letter(letter, &mut value);
            self.send(DEAD_LETTERS.name, letter.mqtt_topic.as_bytes(), &value);
        }
        self.settled().await;
    }

    /// Writes readings, and waits until each has an outcome.
    pub(crate) async fn store_readings(&self, readings: &[Reading]) {
        for reading in readings {
            let mut value = Vec::new();
            wire::encode_reading(reading, &mut value);
            self.send(READINGS.name, reading.meter_id.as_bytes(), &value);
        }
        self.settled().await;
    }

    /// Writes any record.
    pub(crate) fn send(&self, topic: &str, key: &[u8], value: &[u8]) {
        let mut record = BaseRecord::to(topic).key(key).payload(value);
        while let Err((_, back)) = self.producer.send(record) {
            self.producer.poll(Duration::from_millis(10));
            record = back;
        }
    }

    /// Waits until everything in Kafka has an outcome; gives those of the readings.
    pub(crate) async fn settled(&self) -> Outcomes {
        self.producer.flush(DEADLINE).unwrap();
        for topic in [READINGS, DEAD_LETTERS] {
            let end = self.end(topic);
            let what = format!("the sink to have all {end} records of {}", topic.name);
            poll_until(&what, DEADLINE, Duration::from_millis(50), async || {
                let sql = "SELECT coalesce(sum(next_offset), 0)::bigint FROM stream_offset \
                    WHERE consumer = 'timescale-sink' AND topic = $1";
                let next: i64 = self.owner.query_one(sql, &[&topic.name]).await?.get(0);
                Ok((next == end).then_some(()))
            })
            .await
            .unwrap();
        }
        self.outcomes().await
    }

    /// The outcomes of all readings so far.
    pub(crate) async fn outcomes(&self) -> Outcomes {
        let sql = "SELECT coalesce(sum(stored), 0)::bigint, coalesce(sum(duplicate), 0)::bigint, \
            coalesce(sum(conflict), 0)::bigint, coalesce(sum(dead_lettered), 0)::bigint \
            FROM sink_outcome WHERE topic = $1";
        let row = self.owner.query_one(sql, &[&READINGS.name]).await.unwrap();
        Outcomes {
            stored: row.get(0),
            duplicate: row.get(1),
            conflict: row.get(2),
            dead_lettered: row.get(3),
        }
    }

    /// Until this connection ends others may read and lock letters, but not write them: a mark has to wait.
    pub(crate) async fn hold_marks(&self) -> Client {
        let holder = connect(&self.stack.database_url()).await;
        holder.batch_execute("BEGIN; LOCK TABLE dead_letter IN SHARE MODE").await.unwrap();
        holder
    }

    /// One number of the database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.owner.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// How many letters of a test are in which state.
    pub(crate) async fn states(&self, test: &str) -> BTreeMap<String, i64> {
        let sql = "SELECT state, count(*) FROM dead_letter WHERE mqtt_topic LIKE $1 GROUP BY state";
        let rows = self.owner.query(sql, &[&format!("{test}/%")]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// A configuration of mqtt-ingest with this text.
    pub(crate) fn routes(&self, name: &str, text: &str) -> PathBuf {
        let file = self.files.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    /// `wattlinectl dead-letters …` as the operator.
    pub(crate) fn start_command(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_wattlinectl"))
            .arg("dead-letters")
            .args(arguments)
            .env("WATTLINE__DATABASE__URL", self.stack.database_url_as("wattline_operator"))
            .env("WATTLINE__KAFKA__BROKERS", self.stack.kafka_brokers())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// The same, to its end.
    pub(crate) fn command(&self, arguments: &[&str]) -> Said {
        said(self.start_command(arguments))
    }

    /// A command that must work and answer in JSON lines.
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let said = self.command(&[arguments, &["--json"]].concat());
        assert!(said.ok, "{arguments:?}: {said:?}");
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A replay that must work; gives its report.
    pub(crate) fn replay(&self, test: &str, routes: &std::path::Path) -> Value {
        let topic = format!("{test}/#");
        let routes = routes.display().to_string();
        let mut lines = self.json(&["replay", "--topic", &topic, "--routes", &routes]);
        lines.pop().unwrap()
    }

    fn end(&self, topic: Topic) -> i64 {
        let end = |partition| self.consumer.fetch_watermarks(topic.name, partition, DEADLINE).unwrap().1;
        (0..topic.partitions).map(end).sum()
    }
}

async fn connect(url: &str) -> Client {
    let settings = DatabaseSettings { url: url.to_owned(), ..DatabaseSettings::default() };
    settings.connect("test").await.unwrap()
}

/// Waits for a command's end.
pub(crate) fn said(child: Child) -> Said {
    let output = child.wait_with_output().unwrap();
    Said {
        ok: output.status.success(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        error: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
