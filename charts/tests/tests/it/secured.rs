//! The servers of an environment with TLS: the stack's broker, its database with the settings that the chart renders, and a
//! Kafka of its own with the chart's properties. One authority, made by the test, has signed all certificates.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use wattline_charts_tests::object::{each, name, template};
use wattline_localstack::{Authority, CertificateUse, Installation, Launch, Process, Stack, poll_until};

use crate::fixture::free_address;

/// Where the charts mount a server's certificate.
pub(crate) const MOUNT: &str = "/etc/wattline/tls";
/// This machine does much besides.
const PATIENCE: Duration = Duration::from_secs(120);
const CLUSTER_ID: &str = "d2F0dGxpbmUtY2hhcnRzLQ";

/// Kafka with TLS; it ends with this.
pub(crate) struct Kafka {
    pub(crate) address: SocketAddr,
    _process: Process,
    _folder: tempfile::TempDir,
}

/// The text of the authority of the stack's broker, which signs the others' certificates, too.
pub(crate) fn authority(stack: &Stack) -> String {
    fs::read_to_string(stack.mqtt_authority().unwrap().ca_file()).unwrap()
}

/// Starts one broker with the properties of an environment, in which addresses, folders and the number of brokers and copies
/// are those of here.
pub(crate) async fn start_kafka(stack: &Stack, objects: &[Value]) -> Kafka {
    let folder = tempfile::tempdir().unwrap();
    place_certificate(&stack.mqtt_authority().unwrap(), folder.path());
    let (address, controller) = (free_address(), free_address());
    let rendered = objects.iter().find_map(|object| object["data"]["server.properties"].as_str()).unwrap();
    let mut text = format!("node.id=0\nadvertised.listeners=CLIENT://{address}\n");
    for line in rendered.lines() {
        let (key, value) = line.split_once('=').unwrap();
        let value = match key {
            "listeners" => format!("CLIENT://{address},CONTROLLER://{controller}"),
            "controller.quorum.voters" => format!("0@{controller}"),
            "log.dirs" => folder.path().join("data").display().to_string(),
            _ if key.ends_with("replication.factor") || key.contains(".isr") => "1".to_owned(),
            "min.insync.replicas" => "1".to_owned(),
            _ => value.replace(MOUNT, &folder.path().display().to_string()),
        };
        writeln!(text, "{key}={value}").unwrap();
    }
    let file = folder.path().join("server.properties");
    fs::write(&file, text).unwrap();
    let (format, run) = (java("kafka.tools.StorageTool"), java("kafka.Kafka"));
    let format = format.args(["format", "--cluster-id", CLUSTER_ID, "--config"]).args([&file]);
    let done = Command::new(&format.program).args(&format.arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    let mut launch = run.args([&file]);
    launch.log_file = folder.path().join("kafka.log");
    let process = Process::spawn(&launch).unwrap();
    let started = async || {
        let log = fs::read_to_string(&launch.log_file).unwrap_or_default();
        Ok(log.contains("Kafka Server started").then_some(()))
    };
    poll_until("Kafka with TLS", PATIENCE, Duration::from_millis(200), started).await.unwrap();
    Kafka { address, _process: process, _folder: folder }
}

fn java(class: &str) -> Launch {
    let installation = Installation::find().unwrap();
    let log_settings = installation.kafka("log4j2.properties");
    Launch::new("java", "/dev/null")
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .args([format!("-Dlog4j2.configurationFile={}", log_settings.display())])
        .args(["-cp".into(), installation.kafka("libs/*").into_os_string(), class.into()])
}

/// Has the stack's database take connections by TLS, by the settings that the chart renders.
pub(crate) fn secure_database(stack: &Stack, objects: &[Value]) {
    let folder = stack.dir().join(stack.timescale().name());
    place_certificate(&stack.mqtt_authority().unwrap(), &folder);
    let owner = fs::metadata(&folder).unwrap();
    for file in ["tls.crt", "tls.key"] {
        chown(folder.join(file), Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let address = stack.timescale().address();
    let psql = Installation::find().unwrap().postgres("psql");
    let mut command = Command::new(psql);
    command.arg(format!("postgres://postgres@{address}/postgres")).arg("--set=ON_ERROR_STOP=1");
    let settings = tls_settings(objects);
    assert_eq!(settings.len(), 3, "{settings:?}");
    for (key, value) in settings {
        let value = value.replace(MOUNT, &folder.display().to_string());
        command.arg(format!("--command=ALTER SYSTEM SET {key} = '{value}'"));
    }
    let done = command.arg("--command=SELECT pg_reload_conf()").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// From Patroni's file, or from the arguments of a single server.
fn tls_settings(objects: &[Value]) -> Vec<(String, String)> {
    let file = objects.iter().find_map(|object| object["data"]["patroni.yaml"].as_str());
    let pairs: Vec<(&str, &str)> = match file {
        Some(text) => text.lines().filter_map(|line| line.trim().split_once(": ")).collect(),
        None => {
            let server = objects.iter().filter(|object| name(object) == "wattline-timescaledb");
            let containers = server.filter_map(template).map(|template| &template["spec"]["containers"][0]);
            let arguments = containers.flat_map(|container| each(&container["args"]));
            arguments.filter_map(|argument| argument.as_str()?.split_once('=')).collect()
        }
    };
    let of_tls = pairs.into_iter().filter(|(key, _)| *key == "ssl" || key.starts_with("ssl_"));
    of_tls.map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned())).collect()
}

/// As a Secret of cert-manager's would have it, with the chart's additional form.
pub(crate) fn place_certificate(authority: &Authority, folder: &Path) {
    authority.sign("chart", CertificateUse::Server, &["127.0.0.1"]).unwrap();
    let read = |file| fs::read_to_string(file).unwrap();
    let (key, certificate) = (read(authority.key_file("chart")), read(authority.cert_file("chart")));
    let files = [
        ("ca.crt", read(authority.ca_file())),
        ("tls-combined.pem", format!("{key}{certificate}")),
        ("tls.crt", certificate),
        ("tls.key", key),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
        fs::set_permissions(folder.join(name), Permissions::from_mode(0o600)).unwrap();
    }
}
