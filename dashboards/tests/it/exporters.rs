//! The exporters that a cluster has beside the servers. Those that can be installed here run, beside the real servers;
//! of the others a stand-in shows the examples of `exporters.json`, so that every query finds the series it counts on.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wattline_dashboards::exporters::{self, Exporter};
use wattline_dashboards::exposition;
use wattline_localstack::{Installation, Process, Stack};

use crate::monitored::monitored;

const PATIENCE: Duration = Duration::from_secs(60);

/// The exporters beside the servers of a stack; they end with it.
pub(crate) struct Exporters {
    /// By the names in the list.
    pub(crate) running: Vec<(&'static str, SocketAddr)>,
    pub(crate) stand_in: SocketAddr,
    _processes: Vec<Process>,
}

/// Starts them all, and waits until they answer.
pub(crate) async fn start(stack: &Stack) -> anyhow::Result<Exporters> {
    let (postgres, haproxy) = (free_address()?, free_address()?);
    let processes = vec![start_postgres_exporter(stack, postgres)?, start_haproxy(stack, haproxy)?];
    let running = vec![("postgres_exporter", postgres), ("HAProxy", haproxy)];
    for (_, address) in &running {
        wattline_localstack::wait_http(&format!("http://{address}/metrics"), PATIENCE).await?;
    }
    Ok(Exporters { running, stand_in: serve_examples().await?, _processes: processes })
}

/// Freed again at once: the next program of this machine that wants any port could get it, and none does.
pub(crate) fn free_address() -> std::io::Result<SocketAddr> {
    std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn start_postgres_exporter(stack: &Stack, listen: SocketAddr) -> anyhow::Result<Process> {
    let mut launch = stack.launch(Installation::find()?.postgres_exporter(), "postgres-exporter");
    launch.arguments = vec![format!("--web.listen-address={listen}").into()];
    let server = stack.timescale().address();
    launch.environment = vec![
        ("DATA_SOURCE_URI".to_owned(), format!("{server}/wattline?sslmode=disable")),
        ("DATA_SOURCE_USER".to_owned(), "postgres".to_owned()),
        ("DATA_SOURCE_PASS".to_owned(), String::new()),
    ];
    Process::spawn(&launch)
}

/// The proxy of a pair of brokers, as the chart configures it: one is in charge, the other one opens no port.
fn start_haproxy(stack: &Stack, metrics: SocketAddr) -> anyhow::Result<Process> {
    let (mqtt, standby) = (free_address()?, free_address()?);
    let config = stack.dir().join("haproxy.cfg");
    fs::write(
        &config,
        format!(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
             frontend mqtt\n  bind {mqtt}\n  default_backend brokers\n\
             frontend metrics\n  mode http\n  bind {metrics}\n  timeout client 10s\n\
             \x20 http-request use-service prometheus-exporter if {{ path /metrics }}\n\
             \x20 http-request deny deny_status 404\n\
             backend brokers\n  default-server check inter 1s fall 2 rise 1\n\
             \x20 server node-0 {} backup\n  server node-1 {standby}\n",
            stack.mosquitto().address()
        ),
    )?;
    let mut launch = stack.launch(Installation::find()?.haproxy(), "haproxy");
    launch.arguments = vec!["-db".into(), "-f".into(), config.into()];
    Process::spawn(&launch)
}

/// Answers every request with all examples, until the test's process ends.
async fn serve_examples() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (exporters, began) = (exporters::load()?, Instant::now());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who goes away before the answer is asked no further.
            let _ = answer(stream, &exporters, began).await;
        }
    });
    Ok(address)
}

async fn answer(mut stream: TcpStream, exporters: &[Exporter], began: Instant) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await? > 0 {}
    let page = exporters::page(exporters, began.elapsed());
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\nContent-Length:";
    stream.write_all(format!("{head} {}\r\n\r\n{page}", page.len()).as_bytes()).await?;
    stream.shutdown().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exporters_that_run_show_what_is_listed() {
    let running = &monitored().await.exporters.running;
    let listed = exporters::load().unwrap();
    let runs: BTreeSet<_> = listed
        .iter()
        .filter(|exporter| exporter.runs_in_tests)
        .map(|exporter| exporter.name.as_str())
        .collect();
    assert_eq!(runs, running.iter().map(|(name, _)| *name).collect(), "those that the list says run");
    for (name, address) in running {
        let page = reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap();
        let families = exposition::read(&page);
        for metric in &listed.iter().find(|exporter| exporter.name == *name).unwrap().metrics {
            let Some(family) = families.get(&metric.name) else { panic!("{name} shows no {}", metric.name) };
            assert_eq!(family.kind, metric.kind, "{}", metric.name);
            // Another version may show more labels.
            let missing: Vec<_> = metric.labels().filter(|label| !family.labels.contains(*label)).collect();
            assert!(missing.is_empty(), "{} has no {missing:?}, but {:?}", metric.name, family.labels);
        }
    }
}

#[test]
fn examples_have_the_labels_that_are_listed() {
    let exporters = exporters::load().unwrap();
    let families = exposition::read(&exporters::page(&exporters, Duration::from_secs(3600)));
    for exporter in &exporters {
        for metric in &exporter.metrics {
            let shown = families.get(&metric.name);
            assert_eq!(
                shown.is_none(),
                exporter.runs_in_tests,
                "{}: examples stand in for what runs",
                metric.name
            );
            if let Some(shown) = shown {
                let shown: BTreeSet<_> = shown.labels.iter().map(String::as_str).collect();
                assert_eq!(shown, metric.labels().collect(), "{}", metric.name);
            }
        }
    }
}

/// mosquitto-exporter is not run, but it only renames topics: those are asked of the real broker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_publishes_what_its_exporter_would_show() {
    let stack = &monitored().await.system.stack;
    let exporters = exporters::load().unwrap();
    let exporter = exporters.iter().find(|exporter| exporter.name == "mosquitto-exporter").unwrap();
    let mut missing: BTreeSet<_> = exporter.metrics.iter().map(|metric| metric.name.clone()).collect();
    let address = stack.mosquitto().address();
    let password = fs::read_to_string(stack.mqtt_password_file("observer")).unwrap();
    let mut options = MqttOptions::new("mosquitto-exporter", (address.ip().to_string(), address.port()));
    options.set_credentials("observer", password.trim_end().to_owned()).set_clean_start(true);
    let (client, mut eventloop) = AsyncClient::builder(options).capacity(10).build();
    client.try_subscribe("$SYS/#", QoS::AtMostOnce).unwrap();
    let heard = async {
        while !missing.is_empty() {
            if let Event::Incoming(Incoming::Publish(publish)) = eventloop.poll().await.unwrap() {
                let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                missing.remove(&topic.replacen("$SYS/", "", 1).replace(['/', ' ', '-', '.'], "_"));
            }
        }
    };
    let heard = tokio::time::timeout(Duration::from_secs(30), heard).await;
    assert!(heard.is_ok(), "no topic below $SYS gives {missing:?}");
}
