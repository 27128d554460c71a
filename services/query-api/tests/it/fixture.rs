//! One stack and one server for all promises; each takes meters of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::LazyLock;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};
use wattline_localstack::{ServerKind, Stack, StackOptions};
use wattline_query_api::Config;
use wattline_reading::{Measures, Reading, Timestamp, register, topics, wire};
use wattline_service::{Context, KafkaSettings, TopicIdentity, kafka::topic_identity};

/// Long enough for a slow, busy machine; nothing waits for it to pass.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static ENV: OnceCell<Env> = OnceCell::const_new();

/// The servers, what writes into them, and a query-api with the defaults.
pub(crate) struct Env {
    pub(crate) stack: Stack,
    pub(crate) api: Api,
    pub(crate) identity: TopicIdentity,
    producer: FutureProducer,
}

/// One running query-api, in this process.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    pub(crate) context: Context,
    http: reqwest::Client,
}

/// Runs one test on the shared runtime.
pub(crate) fn run<F: Future<Output = ()>>(test: impl FnOnce(&'static Env) -> F) {
    RUNTIME.block_on(async {
        let env = ENV.get_or_init(Env::start).await;
        test(env).await;
    });
}

/// Runs one test that has servers of its own.
pub(crate) fn run_alone(test: impl Future<Output = ()>) {
    RUNTIME.block_on(test);
}

/// A reading of power alone.
pub(crate) fn reading(meter_id: &str, ts: DateTime<Utc>, power_w: f64) -> Reading {
    Reading {
        received_at: Timestamp::now(),
        ..Reading::new(meter_id, ts.into(), Measures { power_w: Some(power_w), ..Measures::default() })
    }
}

/// A whole minute some time ago, so that tests can count from it.
pub(crate) fn minutes_ago(minutes: i64) -> DateTime<Utc> {
    let now = Timestamp::now().to_chrono();
    DateTime::from_timestamp(now.timestamp() / 60 * 60, 0).unwrap() - TimeDelta::minutes(minutes)
}

// === impl Env ===

impl Env {
    pub(crate) async fn start() -> Self {
        let servers = [ServerKind::Kafka, ServerKind::Timescale];
        let stack = Stack::start(StackOptions::new().servers(&servers)).await.unwrap();
        wattlinectl::migrate::run(&stack.database_url()).await.unwrap();
        wattlinectl::topics::create(&stack.kafka_brokers(), 1).await.unwrap();
        let settings = KafkaSettings { brokers: stack.kafka_brokers(), ..KafkaSettings::default() };
        let producer: FutureProducer = settings
            .client_config("test")
            .unwrap()
            .set("partitioner", topics::PARTITIONER)
            .set("linger.ms", "2")
            .create()
            .unwrap();
        let identity = identity(&producer);
        let api = Api::start(&stack, |_| {}).await;
        Self { stack, api, identity, producer }
    }

    /// Another query-api over the same servers.
    pub(crate) async fn api(&self, change: impl FnOnce(&mut Config)) -> Api {
        Api::start(&self.stack, change).await
    }

    pub(crate) async fn database(&self) -> tokio_postgres::Client {
        let url = self.stack.database_url();
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Publishes as mqtt-ingest does; answers partition and offset.
    pub(crate) async fn publish(&self, reading: &Reading) -> (i32, i64) {
        self.publish_stamped(reading, None).await
    }

    /// The same with a time of the record, in ms, for a topic that lets the producer stamp.
    pub(crate) async fn publish_stamped(&self, reading: &Reading, record_ms: Option<i64>) -> (i32, i64) {
        let mut value = Vec::new();
        wire::encode_reading(reading, &mut value);
        let mut record = FutureRecord::to(topics::READINGS.name).key(&reading.meter_id).payload(&value);
        record.timestamp = record_ms;
        let delivery = self.producer.send(record, PATIENCE).await.map_err(|(error, _)| error).unwrap();
        (delivery.partition, delivery.offset)
    }

    /// The same for many: all are on their way before the first is waited for.
    pub(crate) async fn publish_all(&self, readings: &[Reading]) {
        let sent: Vec<_> = readings
            .iter()
            .map(|reading| {
                let mut value = Vec::new();
                wire::encode_reading(reading, &mut value);
                let record = FutureRecord::to(topics::READINGS.name).key(&reading.meter_id).payload(&value);
                self.producer.send_result(record).map_err(|(error, _)| error).unwrap()
            })
            .collect();
        for delivery in sent {
            delivery.await.unwrap().map_err(|(error, _)| error).unwrap();
        }
    }

    /// Stores rows as timescale-sink does: with the offset that they end at, in one transaction.
    pub(crate) async fn store(&self, rows: &[Reading], upto: Option<(i32, i64)>) {
        let mut client = self.database().await;
        let transaction = client.transaction().await.unwrap();
        for row in rows {
            insert(&transaction, row).await;
        }
        if let Some((partition, next_offset)) = upto {
            let (cluster, topic) = (&self.identity.cluster_id, &self.identity.topic_id);
            let text = "INSERT INTO stream_offset (consumer, topic, partition, first_offset, next_offset, owner, \
                cluster_id, topic_id, stored) VALUES ('timescale-sink', $1, $2, 0, $3, gen_random_uuid(), $4, $5, $3) \
                ON CONFLICT (consumer, topic, partition) DO UPDATE SET next_offset = $3, stored = $3 \
                WHERE stream_offset.next_offset < $3";
            transaction
                .execute(text, &[&topics::READINGS.name, &partition, &next_offset, cluster, topic])
                .await
                .unwrap();
        }
        transaction.commit().await.unwrap();
    }
}

pub(crate) fn identity(producer: &FutureProducer) -> TopicIdentity {
    use rdkafka::producer::Producer;
    topic_identity(producer.client(), topics::READINGS.name, PATIENCE).unwrap()
}

async fn insert(transaction: &tokio_postgres::Transaction<'_>, row: &Reading) {
    let meter = "INSERT INTO meter (meter_id) VALUES ($1) ON CONFLICT (meter_id) DO UPDATE SET last_seen = now() \
        RETURNING meter_key";
    let key: i32 = transaction.query_one(meter, &[&row.meter_id]).await.unwrap().get(0);
    let text = "INSERT INTO reading (meter_key, ts, received_at, ts_source, power_w, energy_import_wh, \
        energy_export_wh, voltage_v, current_a, power_factor, frequency_hz, phase_power_w, phase_voltage_v, \
        phase_current_a, soc_pct) VALUES ($1, $2, $3, 'device', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let measures = &row.measures;
    let wh = |mwh: Option<i64>| mwh.map(register::to_wh);
    let phases = |of: fn(&wattline_reading::Phase) -> Option<f64>| -> Option<Vec<Option<f64>>> {
        (!measures.phases.is_empty()).then(|| measures.phases.iter().map(of).collect())
    };
    transaction
        .execute(
            text,
            &[
                &key,
                &row.ts.to_chrono(),
                &row.received_at.to_chrono(),
                &measures.power_w,
                &wh(measures.energy_import_mwh),
                &wh(measures.energy_export_mwh),
                &measures.voltage_v,
                &measures.current_a,
                &measures.power_factor,
                &measures.frequency_hz,
                &phases(|phase| phase.power_w),
                &phases(|phase| phase.voltage_v),
                &phases(|phase| phase.current_a),
                &measures.soc_pct,
            ],
        )
        .await
        .unwrap();
}

// === impl Api ===

impl Api {
    /// Starts one on a free port and waits until it is ready.
    pub(crate) async fn start(stack: &Stack, change: impl FnOnce(&mut Config)) -> Self {
        let api = Self::begin(stack, change);
        let deadline = Instant::now() + PATIENCE;
        while !api.context.ready.is_ready() {
            assert!(Instant::now() < deadline, "not ready: {:?}", api.context.ready.missing());
            sleep(Duration::from_millis(20)).await;
        }
        api
    }

    /// Starts one and does not wait.
    pub(crate) fn begin(stack: &Stack, change: impl FnOnce(&mut Config)) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut config = Config::default();
        config.http.listen = address;
        config.http.development = true;
        config.kafka.brokers = stack.kafka_brokers();
        config.database.url = stack.database_url_as("wattline_api");
        config.live.heartbeat_ms = 1000;
        change(&mut config);
        let context = Context::new("query-api");
        tokio::spawn(wattline_query_api::run(config, context.clone()));
        Self { address, context, http: reqwest::Client::new() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(self.url(path))
    }

    pub(crate) fn post(&self, text: &str, variables: &Value) -> reqwest::RequestBuilder {
        let body = serde_json::json!({"query": text, "variables": variables});
        self.http.post(self.url("/graphql")).json(&body)
    }

    /// The whole answer of a query.
    pub(crate) async fn ask(&self, text: &str, variables: Value) -> Value {
        self.post(text, &variables).send().await.unwrap().json().await.unwrap()
    }

    /// The data of a query that must work.
    pub(crate) async fn data(&self, text: &str, variables: Value) -> Value {
        let mut answer = self.ask(text, variables).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].take()
    }

    /// Code and message of a query that must fail.
    pub(crate) async fn error(&self, text: &str, variables: Value) -> (String, String) {
        let answer = self.ask(text, variables).await;
        let error = &answer["errors"][0];
        let message = error["message"].as_str().unwrap_or_else(|| panic!("no error: {answer}"));
        (error["extensions"]["code"].as_str().unwrap_or_default().to_owned(), message.to_owned())
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.context.shutdown.cancel();
    }
}
