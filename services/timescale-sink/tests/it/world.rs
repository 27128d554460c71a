//! The surroundings of one test: topics and a database of its own on a stack that all tests share.

mod kafka;
mod readings;
mod sink;
mod stream;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_postgres::Client;
use wattline_localstack::{ServerKind, Stack, StackOptions, poll_until};
use wattline_service::DatabaseSettings;
use wattline_timescale_sink::Config;

pub(crate) use kafka::Kafka;
pub(crate) use readings::{at, letter, meter, reading};
pub(crate) use sink::{Running, start_process};
pub(crate) use stream::Stream;

/// Partitions of each test's readings topic.
pub(crate) const PARTITIONS: i32 = 4;
/// A slow machine with other work on it: this means "never".
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

static STACK: OnceCell<Stack> = OnceCell::const_new();
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The surroundings of one test.
pub(crate) struct World {
    pub(crate) stack: &'static Stack,
    pub(crate) kafka: Kafka,
    pub(crate) database: String,
    /// The database as its owner.
    pub(crate) owner: Client,
}

/// The outcomes of a topic, from its rows in `sink_outcome`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) stored: i64,
    pub(crate) merged: i64,
    pub(crate) duplicate: i64,
    pub(crate) conflict: i64,
    pub(crate) dead_lettered: i64,
    pub(crate) absent: i64,
    pub(crate) lost: i64,
    pub(crate) possible_duplicate: i64,
}

impl World {
    pub(crate) async fn new() -> Self {
        let stack = STACK.get_or_init(start_stack).await;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let database = format!("test_{number}");
        stack.create_database(&database, Some("template")).await.unwrap();
        let kafka = Kafka::new(&stack.kafka_brokers(), number).await;
        let owner = connect(&stack.database_url_of(&database, "postgres")).await;
        Self { stack, kafka, database, owner }
    }

    /// A sink for this test's topics and database, with short waits.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        config.kafka.brokers = self.stack.kafka_brokers();
        config.database.url = self.stack.database_url_of(&self.database, "wattline_sink");
        config.input.group = format!("{}-sink", self.kafka.readings);
        config.input.readings_topic = self.kafka.readings.clone();
        config.input.dead_letters_topic = self.kafka.dead_letters.clone();
        config.input.session_timeout_ms = 6000;
        config.input.identity_check_ms = 500;
        config.batch.linger_ms = 50;
        config.meters.new_per_minute_max = 100_000;
        config.store.lock_timeout_ms = 1000;
        config.store.retry_stopped_ms = 500;
        config.service.stop_deadline_ms = 10_000;
        config
    }

    /// Runs the command that an error names; gives what it prints.
    pub(crate) async fn obey(&self, error: &str) -> String {
        let url = self.stack.database_url_of(&self.database, "wattline_operator");
        wattlinectl::offsets::obey(error, &self.stack.kafka_brokers(), &url).await.unwrap()
    }

    /// Runs a sink in this process.
    pub(crate) fn start(&self, config: Config) -> Running {
        Running::start(config)
    }

    /// Waits until everything that was produced so far has an outcome, and checks that the outcomes add up.
    pub(crate) async fn wait_stored(&self) {
        for topic in [&self.kafka.readings, &self.kafka.dead_letters] {
            let ends = self.kafka.ends(topic);
            let what = format!("{topic} to be stored up to {ends:?}");
            let stored = poll_until(&what, DEADLINE, Duration::from_millis(50), async || {
                let found = self.next_offsets(topic).await;
                Ok((found == ends).then_some(()))
            });
            if stored.await.is_err() {
                panic!(
                    "waiting for {ends:?} of {topic}, the database has {:?}",
                    self.next_offsets(topic).await
                );
            }
            self.check_equation(topic).await;
        }
    }

    /// `next_offset − first_offset = stored + merged + duplicate + conflict + dead-lettered + absent + lost − retracted`,
    /// in every row.
    pub(crate) async fn check_equation(&self, topic: &str) {
        let broken = "SELECT count(*) FROM stream_offset s LEFT JOIN sink_outcome o USING (topic, partition) \
            WHERE s.topic = $1 AND s.next_offset - s.first_offset IS DISTINCT FROM o.stored + o.merged + o.duplicate \
            + o.conflict + o.dead_lettered + o.absent + o.lost - o.retracted";
        let broken: i64 = self.owner.query_one(broken, &[&topic]).await.unwrap().get(0);
        assert_eq!(broken, 0, "an offset row of {topic} doesn't add up");
    }

    /// The outcomes of all partitions of a topic.
    pub(crate) async fn totals(&self, topic: &str) -> Totals {
        let sql = "SELECT coalesce(sum(stored), 0)::bigint, coalesce(sum(merged), 0)::bigint, \
            coalesce(sum(duplicate), 0)::bigint, coalesce(sum(conflict), 0)::bigint, \
            coalesce(sum(dead_lettered), 0)::bigint, coalesce(sum(absent), 0)::bigint, \
            coalesce(sum(lost), 0)::bigint, coalesce(sum(possible_duplicate), 0)::bigint FROM sink_outcome WHERE topic = $1";
        let row = self.owner.query_one(sql, &[&topic]).await.unwrap();
        Totals {
            stored: row.get(0),
            merged: row.get(1),
            duplicate: row.get(2),
            conflict: row.get(3),
            dead_lettered: row.get(4),
            absent: row.get(5),
            lost: row.get(6),
            possible_duplicate: row.get(7),
        }
    }

    /// The outcomes of the readings topic.
    pub(crate) async fn readings(&self) -> Totals {
        self.totals(&self.kafka.readings).await
    }

    /// One number of the database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.owner.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// One text of the database.
    pub(crate) async fn text(&self, sql: &str) -> String {
        self.owner.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Waits until a query gives this number.
    pub(crate) async fn wait_count(&self, sql: &str, wanted: i64) {
        let what = format!("{sql} to give {wanted}");
        poll_until(&what, DEADLINE, Duration::from_millis(50), async || {
            Ok((self.count(sql).await == wanted).then_some(()))
        })
        .await
        .unwrap();
    }

    /// The next record to be stored of each partition.
    pub(crate) async fn next_offsets(&self, topic: &str) -> Vec<i64> {
        let sql = "SELECT next_offset FROM stream_offset WHERE consumer = 'timescale-sink' AND topic = $1 \
            ORDER BY partition";
        let rows = self.owner.query(sql, &[&topic]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}

async fn start_stack() -> Stack {
    let options = StackOptions::new().servers(&[ServerKind::Kafka, ServerKind::Timescale]);
    let stack = Stack::start(options).await.unwrap();
    let template = stack.create_database("template", None).await.unwrap();
    wattlinectl::migrate::run(&template).await.unwrap();
    stack
}

async fn connect(url: &str) -> Client {
    let settings = DatabaseSettings { url: url.to_owned(), ..DatabaseSettings::default() };
    settings.connect("test").await.unwrap()
}
