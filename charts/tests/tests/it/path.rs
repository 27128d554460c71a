//! The rendered Jobs set up the local stack, the four services start with the rendered files, arguments and environment,
//! `helm test`'s own command sends a reading through them, and the load test reads back what it has sent.
//!
//! What is overridden, and nothing else: addresses (of the three servers, of listeners), the servers' own passwords, the
//! number of copies in Kafka, since the stack has one broker, and the patience of `helm test`. dev's servers have no TLS;
//! those of staging and prod have it as their charts say, and the services insist on it.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;
use wattline_charts_tests::charts::{Environment, RELEASE};
use wattline_charts_tests::pod::{Container, Placed};
use wattline_localstack::{ServerKind, ServiceKind, ServiceProcess, Stack, StackOptions};

use crate::endure::{Addresses, endures};
use crate::fixture::{any_secret, bin_dir, rendered, workload};
use crate::secured;

/// On a machine that does much besides.
const SMOKE_SECONDS: &str = "180";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_goes_through_the_services_as_the_charts_start_them() {
    for environment in Environment::ALL {
        let objects = rendered(environment).await;
        let stack = Stack::start(options(environment)).await.unwrap_or_else(|error| panic!("{error:#}"));
        let servers = Servers::start(&stack, environment, &objects).await;
        go_through(&servers, &objects).await;
        stack.stop().await.unwrap();
    }
}

/// Its own servers for each environment: the database knows which Kafka its readings came from.
fn options(environment: Environment) -> StackOptions {
    let options = StackOptions::new();
    if environment == Environment::Dev {
        return options;
    }
    options.servers(&[ServerKind::Mosquitto, ServerKind::Timescale]).mqtt_tls(true)
}

async fn go_through(servers: &Servers<'_>, objects: &[Value]) {
    let Servers { stack, environment, .. } = servers;
    let root = tempfile::tempdir().unwrap();
    let place = |workload: &str| {
        let container = Container::of(objects, workload, 0).unwrap();
        let placed = container.place(&root.path().join(workload), &|key| secret(servers, key));
        placed.unwrap_or_else(|error| panic!("{environment}, {workload}: {error:#}"))
    };
    migrate(stack, place(&format!("{RELEASE}-migrate-install")));
    create_topics(servers, place(&format!("{RELEASE}-topics-install")));
    let mut services = Vec::new();
    for &kind in ServiceKind::ALL {
        services.push(start(servers, kind, &place(&workload(kind))));
    }
    for service in &services {
        let ready = service.wait_ready().await;
        ready.unwrap_or_else(|error| panic!("{environment}, {}: {error:#}", service.kind()));
    }
    smoke(servers, place(&format!("{RELEASE}-smoke")));
    let (mqtt, kafka) = (servers.mqtt_url(), servers.kafka_brokers());
    endures(&Addresses { environment: *environment, stack, mqtt, kafka });
    let letters = ask_as_operator(servers, place(&format!("{RELEASE}-operator")));
    assert!(letters.contains("REASON"), "{environment}: {letters}");
    for service in &services {
        service.stop().await.unwrap_or_else(|error| panic!("{environment}: {error:#}"));
    }
}

/// Where an environment's servers are.
struct Servers<'a> {
    stack: &'a Stack,
    environment: Environment,
    kafka: Option<secured::Kafka>,
}

impl<'a> Servers<'a> {
    async fn start(stack: &'a Stack, environment: Environment, objects: &[Value]) -> Self {
        let mut kafka = None;
        if environment != Environment::Dev {
            secured::secure_database(stack, objects);
            kafka = Some(secured::start_kafka(stack, objects).await);
        }
        Self { stack, environment, kafka }
    }

    fn kafka_brokers(&self) -> String {
        self.kafka.as_ref().map_or_else(|| self.stack.kafka_brokers(), |kafka| kafka.address.to_string())
    }

    fn mqtt_url(&self) -> String {
        if self.kafka.is_some() { self.stack.mqtts_url() } else { self.stack.mqtt_url() }
    }
}

/// The broker's passwords and the authority are the stack's; the database of the stack asks for no password.
fn secret(servers: &Servers<'_>, key: &str) -> anyhow::Result<String> {
    if key == "ca.crt" {
        return Ok(secured::authority(servers.stack));
    }
    let file = servers.stack.mqtt_password_file(key);
    if file.exists() { Ok(std::fs::read_to_string(file)?) } else { any_secret(key) }
}

fn migrate(stack: &Stack, mut placed: Placed) {
    let database = variable(&placed.environment, "WATTLINE__DATABASE__URL");
    let here = with_address(&database, stack.timescale().address());
    placed.environment.push(("WATTLINE__DATABASE__URL".to_owned(), here));
    run_ctl(&placed);
}

fn create_topics(servers: &Servers<'_>, mut placed: Placed) {
    placed.environment.push(("WATTLINE__KAFKA__BROKERS".to_owned(), servers.kafka_brokers()));
    placed.replace_argument("--replication-factor", "1").unwrap();
    run_ctl(&placed);
}

fn smoke(servers: &Servers<'_>, mut placed: Placed) {
    let graphql = format!("http://{}/graphql", servers.stack.http_address().unwrap());
    placed.replace_argument("--mqtt-url", &servers.mqtt_url()).unwrap();
    placed.replace_argument("--graphql-url", &graphql).unwrap();
    placed.replace_argument("--wait-s", SMOKE_SECONDS).unwrap();
    run_ctl(&placed);
}

/// What scripts/wattlinectl-job.sh makes Jobs of, with the arguments that it has of its own.
fn ask_as_operator(servers: &Servers<'_>, mut placed: Placed) -> String {
    let database = variable(&placed.environment, "WATTLINE__DATABASE__URL");
    assert!(database.starts_with("postgres://wattline_operator@"), "{database}");
    placed.environment.extend([
        ("WATTLINE__DATABASE__URL".to_owned(), with_address(&database, servers.stack.timescale().address())),
        ("WATTLINE__KAFKA__BROKERS".to_owned(), servers.kafka_brokers()),
    ]);
    let routes = placed.path("/etc/wattline/config/mqtt-ingest.toml");
    assert!(routes.exists(), "the routes for a replay are not there");
    run_ctl(&placed)
}

/// Standard output.
fn run_ctl(placed: &Placed) -> String {
    let mut command = Command::new(bin_dir().join("wattlinectl"));
    let output = command.args(&placed.arguments).envs(placed.environment.iter().cloned()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", placed.arguments);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn start(servers: &Servers<'_>, kind: ServiceKind, placed: &Placed) -> ServiceProcess {
    let environment = servers.environment;
    let file = placed.configuration().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let rendered: toml::Table = text.parse().unwrap();
    let mut launch = servers.stack.launch(bin_dir().join(kind.binary()), &format!("{environment}-{kind}"));
    launch = launch.args(&placed.arguments);
    launch.environment.clone_from(&placed.environment);
    launch.environment.extend(addresses(servers, kind, &rendered));
    ServiceProcess::start_launch(kind, launch).unwrap_or_else(|error| panic!("{error:#}"))
}

/// The environment goes before the file.
fn addresses(servers: &Servers<'_>, kind: ServiceKind, rendered: &toml::Table) -> Vec<(String, String)> {
    let stack = servers.stack;
    let setting = |section: &str, key: &str| rendered[section][key].as_str().unwrap().to_owned();
    let local = stack.service_env(kind, 0).unwrap();
    let mut addresses = Vec::new();
    addresses.push(("WATTLINE__KAFKA__BROKERS".to_owned(), servers.kafka_brokers()));
    if kind == ServiceKind::MqttIngest {
        addresses.push(("WATTLINE__MQTT__URL".to_owned(), servers.mqtt_url()));
    }
    for name in ["SERVICE__ADMIN_LISTEN", "HTTP__LISTEN"] {
        let name = format!("WATTLINE__{name}");
        if local.iter().any(|(local, _)| *local == name) {
            addresses.push((name.clone(), variable(&local, &name)));
        }
    }
    if kind != ServiceKind::MqttIngest {
        let url = with_address(&setting("database", "url"), stack.timescale().address());
        addresses.push(("WATTLINE__DATABASE__URL".to_owned(), url));
    }
    addresses
}

fn variable(environment: &[(String, String)], name: &str) -> String {
    let (_, value) = environment.iter().find(|(own, _)| own == name).unwrap();
    value.clone()
}

/// The same role, database and options at another address.
fn with_address(url: &str, address: SocketAddr) -> String {
    let (before, rest) = url.split_once('@').unwrap();
    let (_, behind) = rest.split_once('/').unwrap();
    format!("{before}@{address}/{behind}")
}
