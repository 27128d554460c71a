//! A load that goes on until it is told to end, while somebody else makes faults: `wattline-loadtest endure` as a process.

use std::fs;
use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, from_value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use wattline_loadtest::endure::{Endured, Marks, SoFar};
use wattline_localstack::{Port, ServiceKind};
use wattline_tests::system::{System, bin_dir};

use crate::fixture::{assert_ok, system};

/// How long the sinks are away.
const AWAY: Duration = Duration::from_millis(1500);

/// The process, which ends with this.
struct Endurance {
    process: Child,
    address: SocketAddr,
    _port: Port,
    _folder: TempDir,
}

// === impl Endurance ===

impl Endurance {
    fn start(system: &System) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stack.json");
        let stack = json!({
            "mqtt": system.stack.mqtt_url(),
            "mqtt_password_files": {"meters": system.stack.mqtt_password_file("meters")},
            "kafka": system.stack.kafka_brokers(),
            "database": system.stack.database_url_as("wattline_grafana"),
        });
        fs::write(&file, stack.to_string()).unwrap();
        let port = assert_ok(Port::choose(None));
        let process = Command::new(assert_ok(bin_dir()).join("wattline-loadtest"))
            .arg("endure")
            .arg("--stack")
            .arg(&file)
            .args(["--listen", &port.address().to_string()])
            .args(["--patience-s", "10", "--at-most-s", "120"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { process, address: port.address(), _port: port, _folder: folder }
    }

    async fn ask(&self, method: reqwest::Method, path: &str) -> anyhow::Result<Value> {
        let url = format!("http://{}/{path}", self.address);
        let answer = reqwest::Client::new().request(method, url).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    async fn progress(&self) -> anyhow::Result<SoFar> {
        Ok(from_value(self.ask(reqwest::Method::GET, "progress").await?)?)
    }

    async fn mark(&self) -> Marks {
        from_value(assert_ok(self.ask(reqwest::Method::POST, "mark").await)).unwrap()
    }

    /// Waits until so many records are stored.
    async fn until_stored(&self, system: &System, count: u64) {
        let stored = system.wait_for("records to be stored", async || {
            // It may not listen yet.
            Ok(self.progress().await.is_ok_and(|so_far| so_far.stored >= count))
        });
        assert_ok(stored.await);
    }

    async fn end(self) -> Output {
        let told: SoFar = from_value(assert_ok(self.ask(reqwest::Method::POST, "end").await)).unwrap();
        assert!(told.published >= told.acknowledged, "{told:?}");
        self.process.wait_with_output().await.unwrap()
    }
}

/// A service that can't go on is started again, as Kubernetes would.
async fn supervised(system: &System, story: impl Future<Output = ()>) {
    tokio::select! {
        () = story => {}
        () = system.supervise() => panic!("nobody supervises any more"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_marked_while_it_runs_and_when_it_has_ended_and_all_is_read_back() {
    let exclusive = system().await;
    supervised(&exclusive.system, sinks_are_killed(&exclusive.system)).await;
}

async fn sinks_are_killed(system: &System) {
    let load = Endurance::start(system);
    load.until_stored(system, 200).await;
    load.mark().await;

    for sink in system.replicas_of(ServiceKind::TimescaleSink) {
        assert_ok(sink.kill_for_good().await);
    }
    tokio::time::sleep(AWAY).await;
    let running = load.mark().await;
    assert!(running.stored_running && running.stored_s > 1.0, "{running:?}");
    assert!(running.acknowledged_s < running.stored_s, "the broker was there: {running:?}");
    let stored = assert_ok(load.progress().await).stored;
    assert_ok(system.heal().await);
    load.until_stored(system, stored + 200).await;
    let ended = load.mark().await;
    assert!(ended.stored_s > running.stored_s, "from its own beginning: {ended:?}, {running:?}");
    let after = load.mark().await;
    assert!(after.stored_s < ended.stored_s, "a new measurement: {after:?}");

    let output = load.end().await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let line = String::from_utf8(output.stdout).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    let endured: Endured = serde_json::from_str(&line).unwrap();
    assert!(endured.sent >= 400 && endured.stored_once == endured.sent, "{line}");
    assert!(endured.dead_letters > 0 && endured.gap_stored_s >= ended.stored_s, "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_is_not_there_any_more_is_named() {
    let exclusive = system().await;
    supervised(&exclusive.system, a_reading_is_deleted(&exclusive.system)).await;
}

async fn a_reading_is_deleted(system: &System) {
    let load = Endurance::start(system);
    load.until_stored(system, 300).await;
    let client = assert_ok(assert_ok(system.target()).connect().await);
    let sql = "WITH newest AS (SELECT meter_key, meter_id FROM meter WHERE meter_id LIKE 'endure-%-00007'
            ORDER BY meter_key DESC LIMIT 1),
        gone AS (DELETE FROM reading USING newest WHERE reading.meter_key = newest.meter_key
            AND ts = (SELECT min(ts) FROM reading JOIN newest USING (meter_key)) RETURNING meter_id)
        SELECT meter_id FROM gone";
    let gone: String = client.query_one(sql, &[]).await.unwrap().get(0);

    let output = load.end().await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && output.stdout.is_empty(), "{said}");
    assert!(said.contains(&format!("meter {gone}")) && said.contains("reading 0 of"), "{said}");
    assert!(said.contains("is missing"), "{said}");
}
