//! One bad message among many good ones: found by the metric and by `count`, listed, shown, repaired by a route,
//! replayed, stored exactly once. `make faults` sends a million good ones, `make test` twenty thousand.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wattline_loadtest::expected::Expected;
use wattline_loadtest::load::{Before, Load, LoadOptions, settled};
use wattline_loadtest::message::Message;
use wattline_loadtest::pace::Pace;
use wattline_loadtest::plan::Plan;
use wattline_loadtest::probe::Probes;
use wattline_loadtest::publish::Publisher;
use wattline_loadtest::scenario::Scenario;
use wattline_loadtest::target::Target;
use wattline_loadtest::verify::verify;
use wattline_reading::Timestamp;
use wattline_tests::ops::Op;
use wattline_tests::system::{System, bin_dir};

use crate::fixture::{assert_ok, system};

const PATIENCE: Duration = Duration::from_secs(120);
const REASON: &str = "power_implausible";

/// A device that says milliwatts where a route reads watts.
struct Device {
    id: String,
    topic: String,
    sent_at: Timestamp,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_message_is_found_repaired_replayed_and_stored_once() {
    let exclusive = system().await;
    let system = &exclusive.system;
    let target = assert_ok(system.target());
    let client = assert_ok(target.connect().await);
    let now = Timestamp::now();
    let plan = Arc::new(plan(now));
    let device = Device::new(now);
    let before = assert_ok(Before::read(&client, &[]).await);
    let dead_before = dead_lettered(&target).await;

    publish(system, &target, &plan, &device).await;
    let expected = Expected { dead_letters: 1, ..plan.expected() };
    let after = assert_ok(settled(&target, &before, &expected, PATIENCE).await);
    // A broker may deliver twice: QoS 1 says so.
    assert_ok(after.check(&expected, true));
    assert!(dead_lettered(&target).await > dead_before, "the metric shows it");

    let folder = tempfile::tempdir().unwrap();
    let key = device.find(system, now);
    let routes = device.repair(system, &key, folder.path());
    let said = letters(system, &["replay", "--topic", &device.topic, "--routes", &routes, "--json"]);
    let copies = after.dead_letters.records;
    assert_eq!((&said["replayed"], &said["refused"]), (&copies.into(), &serde_json::json!({})), "{said}");
    let said = letters(system, &["replay", "--topic", &device.topic, "--routes", &routes, "--json"]);
    assert_eq!(said["letters"], 0, "{said}");

    let repaired = Expected { stored: expected.stored + 1, ..expected };
    let after = assert_ok(settled(&target, &before, &repaired, PATIENCE).await);
    assert_ok(after.check(&repaired, true));
    let sql = "SELECT count(*), min(power_w), min(ts_source::text), count(*) FILTER (WHERE ts = received_at) \
        FROM reading JOIN meter USING (meter_key) WHERE meter_id = $1";
    let row = client.query_one(sql, &[&device.id]).await.unwrap();
    let found: (i64, f64, String, i64) = (row.get(0), row.get(1), row.get(2), row.get(3));
    assert_eq!(found, (1, 432.1, "device".to_owned(), 0));
    let verified = assert_ok(verify(&client, &plan).await);
    assert_eq!(verified.readings, expected.stored);
}

fn plan(now: Timestamp) -> Plan {
    let many = std::env::var_os("WATTLINE_FAULT_ROUNDS").is_some();
    let (meters, readings) = if many { (2000, 500) } else { (200, 100) };
    let scenario = Scenario { meters, readings, seed: now.micros().unsigned_abs(), ..Scenario::default() };
    scenario.plan(format!("good-{:x}", now.micros()), now)
}

/// As fast as it goes, with the bad message in the middle.
async fn publish(system: &Arc<System>, target: &Target, plan: &Arc<Plan>, device: &Device) {
    let options = LoadOptions { connections: 4, rate: None };
    let mut load = Load::start(plan, &target.broker, options, &Arc::new(Probes::default()));
    assert_ok(Op::Flow(plan.expected().messages / 2).apply(system, &load.progress).await);
    let mut publisher = Publisher::new(target.broker.clone(), device.id.clone(), Arc::default());
    let mut bad = std::iter::once(device.message());
    let stop = CancellationToken::new();
    assert_ok(publisher.publish(&mut bad, Pace::unlimited(), &stop).await);
    assert_ok(load.published().await);
}

/// What the replicas of mqtt-ingest count for the reason.
async fn dead_lettered(target: &Target) -> f64 {
    let name = "wattline_mqtt_ingest_dead_lettered_total{";
    let label = format!("reason=\"{REASON}\"");
    let mut sum = 0.0;
    for admin in &target.ingest_admins {
        let text = reqwest::get(format!("{admin}/metrics")).await.unwrap().text().await.unwrap();
        let of_each_broker: Vec<&str> =
            text.lines().filter(|line| line.starts_with(name) && line.contains(&label)).collect();
        assert!(!of_each_broker.is_empty(), "{name}{label} is not there: {text}");
        let value = |line: &&str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        sum += of_each_broker.iter().filter_map(value).sum::<f64>();
    }
    sum
}

fn command(system: &System, arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_ok(bin_dir()).join("wattlinectl"));
    command
        .args(arguments)
        .env("WATTLINE__DATABASE__URL", system.stack.database_url_as("wattline_operator"))
        .env("WATTLINE__KAFKA__BROKERS", system.stack.kafka_brokers());
    command
}

fn output(mut command: Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The first line of what `wattlinectl dead-letters` answers in JSON.
fn letters(system: &System, arguments: &[&str]) -> serde_json::Value {
    let out = output(command(system, &[&["dead-letters"], arguments].concat()));
    let text = String::from_utf8(out).unwrap();
    let line = text.lines().next().unwrap_or_else(|| panic!("{arguments:?} answers nothing"));
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {line}"))
}

// === impl Device ===

impl Device {
    fn new(now: Timestamp) -> Self {
        let id = format!("milliwatts-{:x}", now.micros());
        // Whole ms, as it is written.
        let sent_at = Timestamp::from_micros(now.micros() / 1000 * 1000);
        Self { topic: format!("wattline/{id}/reading"), id, sent_at }
    }

    fn message(&self) -> Message {
        let payload = format!("{{\"ts\":{},\"power_w\":432100}}", self.sent_at.micros() / 1000).into_bytes();
        Message { topic: self.topic.as_str().into(), payload, first_of: None }
    }

    /// Looks for it as an operator does who knows no more than that the metric has moved; gives its key.
    fn find(&self, system: &System, since: Timestamp) -> String {
        let since = since.to_string();
        let count = letters(
            system,
            &["count", "--by", "reason,topic,route", "--since", &since, "--reason", REASON, "--json"],
        );
        assert_eq!(
            (&count["topic"], &count["route"]),
            (&self.topic.clone().into(), &"wattline/+/reading".into())
        );
        let listed = letters(system, &["list", "--since", &since, "--reason", REASON, "--json"]);
        assert_eq!(listed["topic"], self.topic);
        let detail = listed["detail"].as_str().unwrap();
        assert!(detail.contains("power_w is 432100 W"), "{listed}");
        listed["key"].as_str().unwrap().to_owned()
    }

    /// Writes the route, and sees before the replay that it is right.
    fn repair(&self, system: &System, key: &str, folder: &Path) -> String {
        let file = folder.join("mqtt-ingest.toml");
        let route = format!(
            "[[routes]]\nfilter = \"{}\"\ndecoder = \"declarative\"\nmeter_id = \"{{2}}\"\n\
             [[routes.readings]]\ntime = {{ path = \"ts\", unit = \"ms\" }}\n\
             power_w = {{ path = \"power_w\", unit = \"milli\" }}\n",
            self.topic
        );
        fs::write(&file, route).unwrap();
        let routes = file.display().to_string();

        let payload = output(command(system, &["dead-letters", "show", key, "--payload"]));
        let mut decode = command(system, &["decode", "--topic", &self.topic, "--routes", &routes]);
        let mut decode = decode.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        decode.stdin.take().unwrap().write_all(&payload).unwrap();
        let answer = decode.wait_with_output().unwrap().stdout;
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["readings"][0]["power_w"], 432.1, "{answer}");

        let dry = ["replay", "--topic", &self.topic, "--routes", &routes, "--dry-run", "--json"];
        assert_eq!(letters(system, &dry)["readings"], answer["readings"]);
        routes
    }
}
