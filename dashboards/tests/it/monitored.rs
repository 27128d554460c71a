//! One system for all tests: the real servers and services, a load with every disturbance, and a Prometheus that
//! scrapes them.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OnceCell;
use wattline_dashboards::exposition::{self, Family};
use wattline_loadtest::message::Message;
use wattline_loadtest::pace::Pace;
use wattline_loadtest::publish::{Progress, Publisher};
use wattline_loadtest::run::{self, Way};
use wattline_loadtest::scenario::Scenario;
use wattline_localstack::{Installation, Process, ServiceKind, poll_until};
use wattline_reading::Timestamp;
use wattline_tests::system::{Shape, System};

use crate::audience;
use crate::exporters::{self, Exporters, free_address};

/// How often Prometheus looks.
const SCRAPE: Duration = Duration::from_secs(1);
static MONITORED: OnceCell<Monitored> = OnceCell::const_new();

/// What is shared.
pub(crate) struct Monitored {
    pub(crate) system: System,
    pub(crate) exporters: Exporters,
    /// Prometheus' address.
    prometheus: String,
    /// When the load began and ended, in s since 1970.
    pub(crate) loaded: (i64, i64),
    _process: Process,
}

/// The system; started by who comes first.
pub(crate) async fn monitored() -> &'static Monitored {
    MONITORED.get_or_init(|| async { start().await.unwrap_or_else(|error| panic!("{error:#}")) }).await
}

async fn start() -> anyhow::Result<Monitored> {
    let mut shape = Shape::default();
    // An address that gives no time: what is measured against one is exported from the start.
    shape.settings.push((ServiceKind::MqttIngest, "WATTLINE__CLOCK__NTP_SERVER", "127.0.0.1".to_owned()));
    let system = System::start(shape).await?;
    system.add(ServiceKind::QueryApi)?;
    system.wait_ready().await?;
    let exporters = exporters::start(&system.stack).await?;
    let (prometheus, process) = start_prometheus(&system, &exporters).await?;
    let began = Timestamp::now().micros() / 1_000_000;
    // Lost connections and measures that are left out have counters that begin with the first: only from the second on
    // is there a rate.
    publish_odd(&system).await?;
    for _ in 0..2 {
        system.stack.mosquitto().restart().await?;
        system.wait_ready().await?;
        tokio::time::sleep(2 * SCRAPE).await;
    }
    let file = wattline_dashboards::root().join("loadtest/scenarios/disturbed.toml");
    let scenario = Scenario { meters: 60, readings: 50, rate: Some(150.0), ..Scenario::read(&file)? };
    let target = system.target()?;
    let load = async {
        run::run(&target, &scenario, Way::Whole, Timestamp::now()).await?;
        publish_odd(&system).await?;
        // What it counts is seen by the scrapes that follow.
        tokio::time::sleep(4 * SCRAPE).await;
        anyhow::Ok(())
    };
    tokio::select! {
        done = load => done?,
        left = audience::attend(system.stack.http_address()?) => match left? {},
    }
    let mut monitored =
        Monitored { system, exporters, prometheus, loaded: (began, began), _process: process };
    monitored.wait_until_scraped().await?;
    monitored.loaded.1 = Timestamp::now().micros() / 1_000_000;
    Ok(monitored)
}

async fn publish_odd(system: &System) -> anyhow::Result<()> {
    let broker = system.target()?.broker;
    let mut publisher = Publisher::new(broker, "odd".to_owned(), Arc::new(Progress::default()));
    let message = Message {
        topic: "wattline/odd/reading".into(),
        payload: br#"{"power_w": 5, "voltage_v": 99999}"#.to_vec(),
        first_of: None,
    };
    let mut messages = std::iter::once(message);
    publisher.publish(&mut messages, Pace::unlimited(), &tokio_util::sync::CancellationToken::new()).await?;
    publisher.close().await;
    Ok(())
}

/// Scrapes each service and each exporter every second, as a job of its own.
async fn start_prometheus(system: &System, exporters: &Exporters) -> anyhow::Result<(String, Process)> {
    let folder = system.stack.dir().join("prometheus");
    fs::create_dir_all(&folder)?;
    let mut config = "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    let mut scrape = |job: &str, address: &str| {
        config += &format!(
            "  - job_name: {job}\n    static_configs: [{{targets: ['{address}'], labels: {{namespace: local}}}}]\n"
        );
    };
    for replica in system.replicas() {
        let address = replica.process.admin_url().trim_start_matches("http://");
        scrape(&replica.process.kind().to_string(), address);
    }
    for (name, address) in &exporters.running {
        scrape(name, &address.to_string());
    }
    scrape("stand-in", &exporters.stand_in.to_string());
    fs::write(folder.join("prometheus.yml"), config)?;
    let address = free_address()?;
    let mut launch = system.stack.launch(Installation::find()?.prometheus("prometheus"), "prometheus");
    launch.arguments = [
        format!("--config.file={}", folder.join("prometheus.yml").display()),
        format!("--storage.tsdb.path={}", folder.join("data").display()),
        format!("--web.listen-address={address}"),
    ]
    .map(Into::into)
    .to_vec();
    let process = Process::spawn(&launch)?;
    let address = format!("http://{address}");
    let ready = format!("{address}/-/ready");
    wattline_localstack::wait_http(&ready, Duration::from_secs(60)).await?;
    Ok((address, process))
}

// === impl Monitored ===

impl Monitored {
    /// Prometheus has seen each service, and what was published last, at least three times.
    async fn wait_until_scraped(&self) -> anyhow::Result<()> {
        let check = async || {
            let found =
                self.instant("min(count_over_time(wattline_mqtt_ingest_left_out_total[15s]))").await?;
            let counted = self.instant("count(count_over_time(wattline_build[20s]))").await?;
            let value =
                |found: &Value| found[0]["value"][1].as_str().and_then(|text| text.parse::<f64>().ok());
            Ok((value(&found) >= Some(3.0) && value(&counted) >= Some(4.0)).then_some(()))
        };
        poll_until(
            "Prometheus scrapes all services",
            Duration::from_secs(60),
            Duration::from_millis(500),
            check,
        )
        .await
    }

    /// The families that each service's `/metrics` shows.
    pub(crate) async fn families(&self) -> Vec<(String, BTreeMap<String, Family>)> {
        // While partitions change hands, nobody shows how far behind they are.
        let sink = &self.system.replicas_of(ServiceKind::TimescaleSink)[0].process;
        let owns = async || {
            let shown = sink
                .metrics()
                .await
                .is_ok_and(|text| text.contains("\nwattline_timescale_sink_lag_seconds{"));
            Ok(shown.then_some(()))
        };
        let patience = (Duration::from_secs(60), Duration::from_millis(500));
        poll_until("the sink has its partitions", patience.0, patience.1, owns).await.unwrap();
        let mut services = Vec::new();
        for &kind in ServiceKind::ALL {
            let replica = &self.system.replicas_of(kind)[0];
            services.push((kind.to_string(), exposition::read(&replica.process.metrics().await.unwrap())));
        }
        services
    }

    /// The result of a query now.
    pub(crate) async fn instant(&self, query: &str) -> anyhow::Result<Value> {
        self.ask("query", &[("query", query)]).await
    }

    /// The result of a query over the time of the load.
    pub(crate) async fn range(&self, query: &str) -> anyhow::Result<Value> {
        let (start, end) = (self.loaded.0.to_string(), self.loaded.1.to_string());
        self.ask("query_range", &[("query", query), ("start", &start), ("end", &end), ("step", "1")]).await
    }

    async fn ask(&self, what: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Value> {
        let url = url::Url::parse_with_params(&format!("{}/api/v1/{what}", self.prometheus), parameters)?;
        let body: Value = reqwest::get(url).await?.json().await?;
        anyhow::ensure!(body["status"] == "success", "{}: {}", parameters[0].1, body["error"]);
        Ok(body["data"]["result"].clone())
    }
}
