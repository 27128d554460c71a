//! What traces cost a message: CPU time of the whole process, the export to a collector on loopback included.
//!
//!     cargo bench -p wattline-service --bench traces

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Context as _;
use axum::routing::post;
use tracing::{Span, info_span};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use wattline_service::process::usage;
use wattline_service::traces::{self, InFlight, TraceSettings};

/// Messages in flight at a time.
const WINDOW: u64 = 1_000;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let router = axum::Router::new().route("/v1/traces", post(async || Vec::<u8>::new()));
    runtime.spawn(async move { axum::serve(listener, router).await });

    say("off", 20_000_000)?;
    for sample_ratio in [0.01, 1.0] {
        let settings =
            TraceSettings { endpoint: Some(endpoint.clone()), sample_ratio, ..TraceSettings::default() };
        let exporter = traces::start(&settings, "bench", runtime.handle().clone())?.context("no exporter")?;
        let subscriber = tracing_subscriber::registry().with(exporter.layer()).set_default();
        say(&format!("on, {sample_ratio}"), if sample_ratio < 1.0 { 2_000_000 } else { 200_000 })?;
        drop(subscriber);
        exporter.stop(Duration::from_secs(5));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn say(what: &str, messages: u32) -> anyhow::Result<()> {
    let cpu_s = || usage("self").map(|usage| usage.cpu_s).context("/proc does not say the CPU time");
    let in_flight = InFlight::default();
    let before = cpu_s()?;
    for number in 0..u64::from(messages) {
        black_box(in_flight.begin(black_box(number), message));
        in_flight.end(black_box(number.saturating_sub(WINDOW)));
    }
    let each_ns = (cpu_s()? - before) * 1e9 / f64::from(messages);
    println!("{what:<10} {each_ns:8.1} ns of CPU a message");
    Ok(())
}

fn message() -> Span {
    info_span!(parent: None, "message", otel.kind = "producer", topic = "wattline.readings.v1")
}
