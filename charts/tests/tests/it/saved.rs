//! The broker of staging, with what its chart renders, killed while nobody takes what waits.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use wattline_charts_tests::charts::Environment;
use wattline_localstack::{Authority, Installation, Launch, Process, Signal};

use crate::fixture::{free_address, rendered};
use crate::secured::{MOUNT, place_certificate};

const PATIENCE: Duration = Duration::from_secs(60);
/// Some saves of a second's distance; far from a minute.
const A_FEW_SAVES: Duration = Duration::from_secs(4);

/// In MQTT 3.1.1. A session that stays, of a client `in`.
const CONNECT_INGEST: &[u8] = b"\x10\x0e\x00\x04MQTT\x04\x00\x00\x3c\x00\x02in";
/// One that doesn't, of a client `out`.
const CONNECT_METER: &[u8] = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03out";
/// Topic `t` at QoS 1.
const SUBSCRIBE: &[u8] = b"\x82\x06\x00\x01\x00\x01t\x01";
/// `kept`, to the topic `t` at QoS 1.
const PUBLISH: &[u8] = b"\x32\x09\x00\x01t\x00\x01kept";
const CONNACK: u8 = 0x20;
const PUBACK: u8 = 0x40;
const SUBACK: u8 = 0x90;

/// What the publisher got its PUBACK for, a few saves ago, outlives a kill.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_outlives_a_kill_some_seconds_later() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let launch = configure(folder.path(), address).await;
    let broker = Process::spawn(&launch).unwrap();
    let mut ingest = connected(address, CONNECT_INGEST).await;
    ask(&mut ingest, SUBSCRIBE, SUBACK).await;
    drop(ingest);
    let mut meter = connected(address, CONNECT_METER).await;
    ask(&mut meter, PUBLISH, PUBACK).await;
    sleep(A_FEW_SAVES).await;
    broker.signal(Signal::SIGKILL).unwrap();
    broker.wait().await.unwrap();
    let _broker = Process::spawn(&launch).unwrap();
    let mut ingest = connected(address, CONNECT_INGEST).await;
    let mut delivered = [0; 11];
    let read = timeout(PATIENCE, ingest.read_exact(&mut delivered)).await;
    read.expect("the broker has lost what waited").unwrap();
    assert!(delivered.ends_with(b"kept"), "{delivered:?}");
}

/// The rendered file, in which the address and folders are those of here, and nobody needs a password.
async fn configure(folder: &Path, address: SocketAddr) -> Launch {
    let objects = rendered(Environment::Staging).await;
    let text = objects.iter().find_map(|object| object["data"]["mosquitto.conf"].as_str()).unwrap();
    place_certificate(&Authority::open(&folder.join("authority")).unwrap(), folder);
    let secured = free_address();
    let listen = format!("listener {} {}", address.port(), address.ip());
    let text = text
        .replace("listener 1883", &listen)
        .replace("listener 8883", &format!("listener {} {}", secured.port(), secured.ip()))
        .replace(MOUNT, &folder.display().to_string())
        .replace("/mosquitto/data/", &format!("{}/", folder.display()))
        .replace("allow_anonymous false", "allow_anonymous true")
        .replace("password_file /run/mosquitto/passwd\n", "")
        // Started as root it would become another user, who can't write here.
        .replace("acl_file /run/mosquitto/acl\n", if is_root() { "user root\n" } else { "" });
    let file = folder.join("mosquitto.conf");
    fs::write(&file, text).unwrap();
    let mosquitto = Installation::find().unwrap().mosquitto();
    Launch::new(mosquitto, folder.join("mosquitto.log")).args(["-c".into(), file.into_os_string()])
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// As soon as the broker is there.
async fn connected(address: SocketAddr, connect: &[u8]) -> TcpStream {
    let wait = async {
        loop {
            match TcpStream::connect(address).await {
                Ok(stream) => break stream,
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    };
    let mut stream = timeout(PATIENCE, wait).await.expect("the broker takes connections");
    ask(&mut stream, connect, CONNACK).await;
    stream
}

/// Sends a packet, and reads the whole answer, which is of that type.
async fn ask(stream: &mut TcpStream, packet: &[u8], answer: u8) {
    stream.write_all(packet).await.unwrap();
    let mut head = [0; 2];
    timeout(PATIENCE, stream.read_exact(&mut head)).await.expect("an answer").unwrap();
    assert_eq!(head[0], answer);
    stream.read_exact(&mut vec![0; head[1].into()]).await.unwrap();
}
