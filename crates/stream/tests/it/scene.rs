//! A database with the table of offsets and a topic of its own for each test, on one stack for all; and a small consumer.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::{Mutex, OnceCell};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;
use wattline_localstack::{ServerKind, Stack, StackOptions, poll_until};
use wattline_service::DatabaseSettings;
use wattline_stream::{
    Asking, Assignments, Claim, Error, Offsets, Partition, Present, Span, Statements, Stream, Taken, Topics,
};

/// On a slow machine with others at work.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(15);
const TEMPLATE: &str = "stream_template";
/// The table, and the columns that it got later.
const TABLES: [&str; 4] = [
    include_str!("../../../../sql/migrations/0003_streams.sql"),
    include_str!("../../../../sql/migrations/0008_sink_outcome.sql"),
    include_str!("../../../../sql/migrations/0011_offsets.sql"),
    include_str!("../../../../sql/migrations/0013_offset_decisions.sql"),
];
/// Any consumer but the sink, whose rows have an account.
pub(crate) const CONSUMER: &str = wattline_stream::consumer::AGGREGATOR;

static STACK: OnceCell<Stack> = OnceCell::const_new();
static COPYING: Mutex<()> = Mutex::const_new(());

/// What one test has.
pub(crate) struct Scene {
    pub(crate) stack: &'static Stack,
    pub(crate) topic: String,
    pub(crate) client: Client,
    pub(crate) consumer: Arc<BaseConsumer>,
    url: String,
    producer: FutureProducer,
    admin: AdminClient<DefaultClientContext>,
}

/// A process that believes to own partitions.
pub(crate) struct Owner {
    pub(crate) offsets: Offsets,
    pub(crate) client: Client,
    pub(crate) statements: Statements,
    pub(crate) consumer: Arc<BaseConsumer>,
}

async fn stack() -> &'static Stack {
    let start = async || {
        let options = StackOptions::new().servers(&[ServerKind::Kafka, ServerKind::Timescale]);
        let stack = Stack::start(options).await.unwrap();
        let client = connect(&stack.create_database(TEMPLATE, None).await.unwrap()).await;
        for tables in TABLES {
            client.batch_execute(tables).await.unwrap();
        }
        stack
    };
    STACK.get_or_init(start).await
}

pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(async move {
        // Whoever waits for an answer gets the same error.
        let _ = connection.await;
    });
    client
}

/// Consecutive records of a partition of the readings topic.
pub(crate) fn span(number: i32, first_offset: i64, next_offset: i64) -> Span {
    Span { partition: Partition::readings(number), first_offset, next_offset, mark: None }
}

// === impl Scene ===

impl Scene {
    pub(crate) async fn new(name: &str, partitions: i32) -> Self {
        let stack = stack().await;
        // Two copies of one template at once are in each other's way.
        let copying = COPYING.lock().await;
        let url = stack.create_database(&format!("stream_{name}"), Some(TEMPLATE)).await.unwrap();
        drop(copying);
        let kafka = |settings: &[(&str, &str)]| {
            let mut config = ClientConfig::new();
            config.set("bootstrap.servers", stack.kafka_brokers());
            for (name, value) in settings {
                config.set(*name, *value);
            }
            config
        };
        let scene = Self {
            stack,
            topic: format!("stream.{name}"),
            client: connect(&url).await,
            consumer: Arc::new(kafka(&[("group.id", "asks")]).create().unwrap()),
            url,
            producer: kafka(&[("linger.ms", "2")]).create().unwrap(),
            admin: kafka(&[]).create().unwrap(),
        };
        scene.create_topic(partitions).await;
        scene
    }

    pub(crate) fn database(&self) -> DatabaseSettings {
        DatabaseSettings { url: self.url.clone(), ..DatabaseSettings::default() }
    }

    pub(crate) fn topics(&self) -> Topics {
        Topics::new([(Stream::Readings, self.topic.clone())])
    }

    pub(crate) async fn owner(&self) -> Owner {
        let client = connect(&self.url).await;
        client.batch_execute("SET lock_timeout = '5s'").await.unwrap();
        let offsets = Offsets { consumer: CONSUMER, topics: self.topics(), owner: Uuid::new_v4() };
        let statements = Statements::prepare(&client).await.unwrap();
        Owner { offsets, client, statements, consumer: Arc::clone(&self.consumer) }
    }

    pub(crate) async fn create_topic(&self, partitions: i32) {
        let topic = NewTopic::new(&self.topic, partitions, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
        for outcome in self.admin.create_topics([&topic], &options).await.unwrap() {
            outcome.unwrap();
        }
        self.wait_partitions(partitions).await;
    }

    pub(crate) async fn delete_topic(&self) {
        let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
        for outcome in self.admin.delete_topics(&[&self.topic], &options).await.unwrap() {
            outcome.unwrap();
        }
        let gone = poll_until("the topic to be gone", PATIENCE, Duration::from_millis(50), async || {
            Ok(wattline_stream::ask::topic(&self.consumer, &self.topic).await.is_err().then_some(()))
        });
        gone.await.unwrap();
    }

    pub(crate) async fn grow(&self, partitions: i32) {
        let more = NewPartitions::new(&self.topic, usize::try_from(partitions).unwrap());
        for outcome in self.admin.create_partitions([&more], &AdminOptions::new()).await.unwrap() {
            outcome.unwrap();
        }
        self.wait_partitions(partitions).await;
    }

    /// A new topic is known to the controller first, and to the broker a moment later.
    async fn wait_partitions(&self, partitions: i32) {
        let known = poll_until("the topic", PATIENCE, Duration::from_millis(50), async || {
            let Ok(topic) = wattline_stream::ask::topic(&self.consumer, &self.topic).await else {
                return Ok(None);
            };
            if topic.partitions != partitions {
                return Ok(None);
            }
            for number in 0..partitions {
                if wattline_stream::ask::watermarks(&self.consumer, &self.topic, number).await.is_err() {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        });
        known.await.unwrap();
    }

    pub(crate) async fn send(&self, number: i32, records: usize) {
        for _ in 0..records {
            let record = FutureRecord::<(), _>::to(&self.topic).partition(number).payload("x");
            self.producer.send(record, TIMEOUT).await.unwrap();
        }
        self.producer.flush(TIMEOUT).unwrap();
    }

    /// As retention does.
    pub(crate) async fn delete_records(&self, number: i32, before: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, number, Offset::Offset(before)).unwrap();
        self.admin.delete_records(&list, &AdminOptions::new()).await.unwrap();
    }

    /// What Kafka says of a partition now.
    pub(crate) async fn present(&self, number: i32) -> Result<Present, String> {
        let mut asking = Asking::default();
        let claim = claim_of(number);
        asking.ask(&self.consumer, &self.topics(), [claim]);
        let (answered, present) = asking.next().await;
        assert_eq!(answered, claim);
        present
    }

    /// Waits until so many connections to this test's database wait for a lock.
    pub(crate) async fn wait_for_waiting_locks(&self, count: i64) {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting = poll_until("a waiting lock", PATIENCE, Duration::from_millis(20), async || {
            Ok((self.client.query_one(query, &[]).await?.get::<_, i64>(0) == count).then_some(()))
        });
        waiting.await.unwrap();
    }

    /// Next offset and owner of a row.
    pub(crate) async fn row(&self, number: i32) -> (i64, Uuid) {
        let query = "SELECT next_offset, owner FROM stream_offset WHERE consumer = $1 AND partition = $2";
        let row = self.client.query_one(query, &[&CONSUMER, &number]).await.unwrap();
        (row.get(0), row.get(1))
    }
}

/// A claim under an assignment that nobody looks at.
pub(crate) fn claim_of(number: i32) -> Claim {
    let partition = Partition::readings(number);
    Claim { partition, assignment: Assignments::default().take(partition), is_another_log: false }
}

// === impl Owner ===

impl Owner {
    /// Takes a row as a consumer does: a transaction of its own, and what settles a failure.
    pub(crate) async fn take(&mut self, number: i32, present: &Present) -> Result<Taken, Error> {
        self.take_with(claim_of(number), present).await
    }

    pub(crate) async fn take_with(&mut self, claim: Claim, present: &Present) -> Result<Taken, Error> {
        let transaction = self.client.transaction().await?;
        match self.offsets.take(&transaction, &self.statements, &self.consumer, claim, present).await {
            Ok(taken) => {
                transaction.commit().await?;
                Ok(taken)
            }
            Err(error) => {
                transaction.rollback().await?;
                Err(self.offsets.settle(&self.client, &self.statements, claim.partition, error).await)
            }
        }
    }

    /// Locks, compares, advances and commits; rolls back where a row isn't ours.
    pub(crate) async fn write(&self, spans: &[Span]) -> Result<(), Error> {
        self.client.batch_execute("BEGIN").await?;
        let written = self.write_open(spans).await;
        self.client.batch_execute(if written.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
        written
    }

    /// The same in a transaction that the caller has begun and ends.
    pub(crate) async fn write_open(&self, spans: &[Span]) -> Result<(), Error> {
        self.offsets.lock(&self.client, &self.statements, spans).await?;
        Ok(self.offsets.advance(&self.client, &self.statements, spans).await?)
    }

    pub(crate) async fn pid(&self) -> i32 {
        self.client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0)
    }
}
