//! The proxy before a pair of brokers, with what prod renders, before a real broker that freezes.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wattline_charts_tests::charts::Environment;
use wattline_charts_tests::object::{each, name};
use wattline_localstack::{Authority, Installation, Process, ServerKind, Stack, StackOptions};

use crate::fixture::{free_address, rendered};
use crate::secured::{MOUNT, place_certificate};

/// A CONNECT of MQTT 3.1.1 without a user, and how every CONNACK begins.
const CONNECT: &[u8] = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00";
const CONNACK: [u8; 2] = [0x20, 0x02];
/// Two checks of 3 s in a row fail; this machine does much besides.
const PATIENCE: Duration = Duration::from_secs(60);

/// A frozen broker's kernel takes connections for it: a check that only connects would leave every client with it for the
/// hour of `timeout server`, and the proxy would lead new ones there, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_frozen_broker_are_sent_away() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Mosquitto])).await.unwrap();
    let (address, _proxy) = start_proxy(&stack).await;
    wait_until(async || answers(address).await, "the proxy leads to the broker").await;
    let mut client = TcpStream::connect(address).await.unwrap();
    stack.mosquitto().freeze().await.unwrap();
    let told = timeout(PATIENCE, client.read(&mut [0])).await.expect("the client is told");
    assert!(told.as_ref().map_or(true, |length| *length == 0), "{told:?}");
    wait_until(async || is_closed(address).await, "nobody is led to the frozen broker").await;
    stack.mosquitto().thaw().await.unwrap();
    wait_until(async || answers(address).await, "the proxy leads to the thawed broker").await;
    stack.stop().await.unwrap();
}

/// The probe of a broker in charge; one that is not in charge, and opens no port, is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_broker_is_not_alive_and_a_standby_is() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Mosquitto])).await.unwrap();
    let broker = stack.mosquitto();
    let objects = rendered(Environment::Prod).await;
    let template =
        objects.iter().find(|object| object["kind"] == "StatefulSet" && name(object) == "wattline-mqtt");
    let artemis = &template.unwrap()["spec"]["template"]["spec"]["containers"][0];
    // The pod's own is a minute, in which the backup would take over and the frozen one might thaw.
    assert!(artemis["livenessProbe"]["terminationGracePeriodSeconds"].as_u64() <= Some(5));
    let command = each(&artemis["livenessProbe"]["exec"]["command"]).filter_map(|word| word.as_str());
    let here = format!("/127.0.0.1/{}", broker.address().port());
    let command: Vec<_> = command.map(|word| word.replace("/127.0.0.1/11883", &here)).collect();
    assert!(command.iter().any(|word| word.contains(&here)), "{command:?}");
    let is_alive = || Command::new(&command[0]).args(&command[1..]).status().unwrap().success();
    assert!(is_alive(), "it answers");
    broker.freeze().await.unwrap();
    assert!(!is_alive(), "it is frozen");
    broker.thaw().await.unwrap();
    broker.stop().await.unwrap();
    assert!(is_alive(), "nobody listens");
    stack.stop().await.unwrap();
}

/// HAProxy with the rendered file, in which only addresses are those of here: the pair's one in charge is the stack's broker,
/// the other one opens no port.
async fn start_proxy(stack: &Stack) -> (SocketAddr, Process) {
    let objects = rendered(Environment::Prod).await;
    let text = objects.iter().find_map(|object| object["data"]["haproxy.cfg"].as_str()).unwrap();
    place_certificate(&Authority::open(&stack.dir().join("authority")).unwrap(), stack.dir());
    let [address, secured, metrics, standby] = [(); 4].map(|()| free_address());
    let brokers = [stack.mosquitto().address(), standby];
    let mut lines = Vec::new();
    for line in text.lines() {
        let ordinal = brokers.iter().enumerate().find(|(n, _)| line.contains(&format!("server node-{n} ")));
        lines.push(match (line.trim(), ordinal) {
            ("bind :1883", _) => format!("  bind {address}"),
            ("bind :8404", _) => format!("  bind {metrics}"),
            (_, Some((ordinal, broker))) => format!("  server node-{ordinal} {broker}"),
            _ => line
                .replace("bind :8883", &format!("bind {secured}"))
                .replace(MOUNT, &stack.dir().display().to_string()),
        });
    }
    let file = stack.dir().join("haproxy.cfg");
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    let mut launch = stack.launch(Installation::find().unwrap().haproxy(), "haproxy");
    launch.arguments = vec!["-db".into(), "-f".into(), file.into()];
    (address, Process::spawn(&launch).unwrap())
}

/// Whether a broker behind the proxy answers by MQTT.
async fn answers(address: SocketAddr) -> bool {
    first_bytes(address).await.is_some_and(|bytes| bytes == CONNACK)
}

/// Whether the proxy ends a connection for which it has no broker.
async fn is_closed(address: SocketAddr) -> bool {
    first_bytes(address).await.is_some_and(|bytes| bytes.is_empty())
}

/// What comes for a CONNECT; nothing where the connection is neither answered nor ended.
async fn first_bytes(address: SocketAddr) -> Option<Vec<u8>> {
    let ask = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(CONNECT).await.ok()?;
        let mut bytes = [0; 2];
        let length = stream.read(&mut bytes).await.unwrap_or(0);
        Some(bytes[..length].to_vec())
    };
    timeout(Duration::from_secs(2), ask).await.ok().flatten()
}

async fn wait_until(condition: impl AsyncFn() -> bool, what: &str) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"));
}
