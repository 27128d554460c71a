//! What the tests share: clients that really talk to a server, and looks at processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rumqttc::mqttbytes::QoS;
use rumqttc::{
    AsyncClient, BrokerSessionResumePolicy, Event, EventLoop, MqttOptions, Packet, PublishOptions,
};
use tokio_postgres::{Client, NoTls};
use wattline_localstack::{Server, Stack, poll_until};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(50);

/// A connection to a database; its driver ends with the test's runtime.
pub(crate) async fn sql(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a database connection");
    tokio::spawn(connection);
    client
}

pub(crate) async fn create_topic(brokers: &str, topic: &str, replicas: i32) {
    let admin: AdminClient<_> = kafka(brokers).create().expect("an admin client");
    let new = NewTopic::new(topic, 1, TopicReplication::Fixed(replicas));
    let created = admin.create_topics(&[new], &AdminOptions::new()).await.expect("an answer");
    created[0].as_ref().expect("a topic");
}

pub(crate) async fn produce(brokers: &str, topic: &str, payload: &str) {
    let producer: FutureProducer = kafka(brokers).set("acks", "all").create().expect("a producer");
    let record = FutureRecord::<(), str>::to(topic).payload(payload);
    producer.send(record, PATIENCE).await.expect("a confirmed record");
}

/// The topic's first record.
pub(crate) async fn consume(brokers: &str, topic: &str) -> String {
    let mut config = kafka(brokers);
    config.set("group.id", topic).set("auto.offset.reset", "earliest");
    let consumer: StreamConsumer = config.create().expect("a consumer");
    consumer.subscribe(&[topic]).expect("a subscription");
    let first = async {
        loop {
            // A broker that is away is reported and then dialled again.
            if let Ok(record) = consumer.recv().await {
                return String::from_utf8(record.payload().expect("a payload").to_vec()).expect("text");
            }
        }
    };
    tokio::time::timeout(PATIENCE, first).await.expect("a record in time")
}

fn kafka(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    config
}

/// A client of the broker with a session that outlives its connection.
pub(crate) fn mqtt(stack: &Stack, user: &str) -> (AsyncClient, EventLoop) {
    let address = stack.mosquitto().address();
    let password = fs::read_to_string(stack.mqtt_password_file(user)).expect("a password");
    let mut options = MqttOptions::new(format!("test-{user}"), (address.ip().to_string(), address.port()));
    options.set_credentials(user, password);
    options.set_clean_start(false);
    options.set_session_expiry_interval(Some(3600));
    options.set_outgoing_inflight_upper_limit(16);
    options.set_broker_session_resume_policy(BrokerSessionResumePolicy::AllowBrokerOnly);
    AsyncClient::builder(options).capacity(16).build()
}

/// Subscribes and goes away, so that messages wait for it.
pub(crate) async fn leave_subscription(stack: &Stack, user: &str) {
    let (client, mut events) = mqtt(stack, user);
    client.subscribe("wattline/#", QoS::AtLeastOnce).await.expect("a queued request");
    packet(&mut events, |packet| matches!(packet, Packet::SubAck(_)).then_some(())).await;
}

pub(crate) async fn publish(stack: &Stack, user: &str, payload: &str) {
    let (client, mut events) = mqtt(stack, user);
    let options = PublishOptions::new(QoS::AtLeastOnce);
    client.publish("wattline/m1/reading", payload.to_owned(), options).await.expect("a queued request");
    packet(&mut events, |packet| matches!(packet, Packet::PubAck(_)).then_some(())).await;
}

/// The first message of the session that was left behind.
pub(crate) async fn waiting_message(stack: &Stack, user: &str) -> String {
    let (_client, mut events) = mqtt(stack, user);
    let payload = packet(&mut events, |packet| match packet {
        Packet::Publish(publish) => Some(publish.payload.to_vec()),
        _ => None,
    });
    String::from_utf8(payload.await).expect("text")
}

async fn packet<T>(events: &mut EventLoop, wanted: impl Fn(Packet) -> Option<T>) -> T {
    let search = async {
        loop {
            if let Event::Incoming(packet) = events.poll().await.expect("a connection")
                && let Some(value) = wanted(packet)
            {
                return value;
            }
        }
    };
    tokio::time::timeout(PATIENCE, search).await.expect("the packet in time")
}

/// A frozen server holds its answers back; thawed, it gives them.
pub(crate) async fn freeze_and_thaw(server: &Server) {
    server.freeze().await.expect("frozen");
    let silent = tokio::time::timeout(Duration::from_secs(1), server.wait_ready()).await;
    assert!(silent.is_err(), "{} answered though it was frozen", server.name());
    server.thaw().await.expect("thawed");
    server.wait_ready().await.expect("an answer after the thaw");
}

/// `wattline-stack up` in a process of its own.
pub(crate) struct Up {
    pub(crate) child: Child,
    pub(crate) report: PathBuf,
}

impl Up {
    pub(crate) fn start(dir: &Path) -> Self {
        let report = dir.join("report.json");
        let child = Self::command(dir, &report).spawn().expect("wattline-stack starts");
        Self { child, report }
    }

    pub(crate) fn command(dir: &Path, report: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wattline-stack"));
        command.args(["up", "--kafka-tuning", "fast-start", "--dir"]).arg(dir).arg("--json").arg(report);
        command.stdout(Stdio::null());
        command
    }

    /// Waits for the report, and returns the pids of the servers.
    pub(crate) async fn servers(&self) -> Vec<(String, i32)> {
        wait_report(&self.report).await
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }
}

pub(crate) async fn wait_report(path: &Path) -> Vec<(String, i32)> {
    let text = poll_until("the report", PATIENCE, STEP, async || Ok(fs::read_to_string(path).ok()));
    let report: serde_json::Value = serde_json::from_str(&text.await.expect("a report")).expect("JSON");
    let servers = report["servers"].as_object().expect("servers");
    let pid = |value: &serde_json::Value| value["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    servers.iter().map(|(name, value)| (name.clone(), pid(value).expect("a pid"))).collect()
}

/// Waits until none of these processes is there any more; one that nobody reaps counts as gone.
pub(crate) async fn wait_gone(pids: &[i32]) {
    let gone = async || Ok((!pids.iter().any(|pid| lives(*pid))).then_some(()));
    poll_until("the end of the processes", PATIENCE, STEP, gone).await.expect("all ended");
}

pub(crate) fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// A folder that PostgreSQL's user may enter, removed in the end.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("wattline-test-").tempdir().expect("a folder");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("permissions");
    folder
}
