//! The proxy before a pair of brokers, with what prod renders, before a real broker that freezes.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use wattline_charts_tests::charts::Environment;
use wattline_charts_tests::object::{each, name};
use wattline_localstack::{Authority, Installation, Process, Proxy, ServerKind, Stack, StackOptions};

use crate::fixture::{free_address, rendered};
use crate::secured::{MOUNT, place_certificate};

/// A CONNECT of MQTT 3.1.1 without a user, and how every CONNACK begins.
const CONNECT: &[u8] = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00";
const CONNACK: [u8; 2] = [0x20, 0x02];
const PINGREQ: [u8; 2] = [0xc0, 0x00];
const PINGRESP: [u8; 2] = [0xd0, 0x00];
/// Two checks of 3 s in a row fail; this machine does much besides.
const PATIENCE: Duration = Duration::from_secs(60);

/// A frozen broker's kernel takes connections: a check that only connects would lead new clients there. Who is connected stays:
/// there is nobody else to go to until the backup is in charge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_frozen_broker_stay_until_another_is_in_charge() {
    let [stack, other] = [start().await, start().await];
    let backup = Proxy::start(other.mosquitto().address()).await.unwrap();
    backup.cut();
    let (address, _proxy) = start_proxy(&stack, backup.addr()).await;
    wait_until(async || answers(address).await, "the proxy leads to the broker").await;
    let log = fs::read_to_string(stack.dir().join("logs/mosquitto.log")).unwrap();
    assert!(log.contains("u'observer'"), "the check logs in: {log}");
    let mut client = log_in(&stack, address).await;

    stack.mosquitto().freeze().await.unwrap();
    wait_until(async || is_closed(address).await, "nobody is led to the frozen broker").await;
    let told = timeout(Duration::from_secs(2), client.read(&mut [0])).await;
    assert!(told.is_err(), "who is connected stays: {told:?}");
    stack.mosquitto().thaw().await.unwrap();
    wait_until(async || answers(address).await, "the proxy leads to the thawed broker").await;
    client.write_all(&PINGREQ).await.unwrap();
    let mut answer = [0; 2];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, PINGRESP, "by the connection that it had");

    stack.mosquitto().freeze().await.unwrap();
    backup.restore();
    let told = timeout(PATIENCE, client.read(&mut [0])).await.expect("the client is told");
    assert!(told.as_ref().map_or(true, |length| *length == 0), "{told:?}");
    wait_until(async || answers(address).await, "the proxy leads to the backup").await;
    stack.mosquitto().thaw().await.unwrap();
    stack.stop().await.unwrap();
    other.stop().await.unwrap();
}

/// The probe of a broker in charge; one that is not in charge, and opens no port, is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_broker_is_not_alive_and_a_standby_is() {
    let stack = start().await;
    let broker = stack.mosquitto();
    let objects = rendered(Environment::Prod).await;
    let artemis = &artemis_pod(&objects)["containers"][0];
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

/// A client that the broker lets in.
async fn log_in(stack: &Stack, proxy: SocketAddr) -> TcpStream {
    let password = fs::read_to_string(stack.mqtt_password_file("observer")).unwrap();
    let mut packet = b"\x10\0\0\x04MQTT\x04\xc2\0\x3c\0\0".to_vec();
    for text in ["observer", password.trim()] {
        packet.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        packet.extend(text.as_bytes());
    }
    packet[1] = u8::try_from(packet.len() - 2).unwrap();
    let mut client = TcpStream::connect(proxy).await.unwrap();
    client.write_all(&packet).await.unwrap();
    let mut answer = [0; 4];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [0x20, 2, 0, 0], "it is let in");
    client
}

async fn start() -> Stack {
    Stack::start(StackOptions::new().servers(&[ServerKind::Mosquitto])).await.unwrap()
}

/// HAProxy as the container starts it, with the rendered file, in which only addresses and folders are those of here: the pair's
/// primary is the stack's broker.
async fn start_proxy(stack: &Stack, backup: SocketAddr) -> (SocketAddr, Process) {
    let objects = rendered(Environment::Prod).await;
    let text = objects.iter().find_map(|object| object["data"]["haproxy.cfg"].as_str()).unwrap();
    place_certificate(&Authority::open(&stack.dir().join("authority")).unwrap(), stack.dir());
    let [address, secured, metrics] = [(); 3].map(|()| free_address());
    let brokers = [stack.mosquitto().address(), backup];
    let mut lines = Vec::new();
    for line in text.lines() {
        let ordinal = brokers.iter().enumerate().find(|(n, _)| line.contains(&format!("server node-{n} ")));
        lines.push(match (line.trim(), ordinal) {
            ("bind :1883", _) => format!("  bind {address}"),
            ("bind :8404", _) => format!("  bind {metrics}"),
            (_, Some((_, broker))) => {
                let name = line.split_whitespace().nth(2).unwrap();
                line.replace(name, &broker.to_string())
            }
            _ => line
                .replace("bind :8883", &format!("bind {secured}"))
                .replace(MOUNT, &stack.dir().display().to_string()),
        });
    }
    let file = stack.dir().join("haproxy.cfg");
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    let haproxy = Installation::find().unwrap().haproxy();
    let command = each(&artemis_pod(&objects)["containers"][1]["command"]);
    let command = command.filter_map(|word| word.as_str()).map(|word| {
        word.replace("exec haproxy", &format!("exec {}", haproxy.display()))
            .replace("/etc/wattline/artemis/haproxy.cfg", &file.display().to_string())
            .replace(
                "/etc/wattline/secrets/mqtt/observer",
                &stack.mqtt_password_file("observer").display().to_string(),
            )
    });
    let command: Vec<String> = command.collect();
    let mut launch = stack.launch(command[0].clone(), "haproxy");
    launch.arguments = command[1..].iter().map(Into::into).collect();
    (address, Process::spawn(&launch).unwrap())
}

fn artemis_pod(objects: &[Value]) -> &Value {
    let pair =
        objects.iter().find(|object| object["kind"] == "StatefulSet" && name(object) == "wattline-mqtt");
    &pair.unwrap()["spec"]["template"]["spec"]
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
