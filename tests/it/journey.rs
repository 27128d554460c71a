//! One message of a device that people own, followed from its topic to GraphQL: a trace whose parts, in four processes, know of
//! each other, and what the registry says of the meter afterwards.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wattline_loadtest::message::Message;
use wattline_loadtest::pace::Pace;
use wattline_loadtest::publish::Publisher;
use wattline_localstack::{Launch, ServiceKind, ServiceProcess};
use wattline_reading::Timestamp;
use wattline_tests::system::{Shape, System, bin_dir};

use crate::fixture::assert_ok;

/// What a collector was given: the service's name, and the span.
type Received = Arc<Mutex<Vec<(String, Span)>>>;

/// A collector as OTLP's document wants it: protobuf by POST to `/v1/traces`.
async fn collector() -> (String, Received) {
    let received = Received::default();
    let take = async |State(received): State<Received>, body: Bytes| {
        let request = ExportTraceServiceRequest::decode(body).expect("a request of OTLP");
        for resource in request.resource_spans {
            let attributes = resource.resource.unwrap_or_default().attributes;
            let name = attributes.into_iter().find(|pair| pair.key == "service.name");
            let Some(Value::StringValue(name)) = name.and_then(|pair| pair.value?.value) else { continue };
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            received.lock().extend(spans.map(|span| (name.clone(), span)));
        }
        Vec::<u8>::new()
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
    let router = axum::Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&received));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (endpoint, received)
}

const KINDS: [ServiceKind; 4] =
    [ServiceKind::MqttIngest, ServiceKind::TimescaleSink, ServiceKind::Aggregator, ServiceKind::QueryApi];

/// One replica of each service, all of which send every trace to `endpoint`; mqtt-ingest with a route of its own.
async fn start(endpoint: &str) -> (System, ServiceProcess) {
    let mut shape = Shape { ingests: 0, ..Shape::default() };
    let traces = [
        ("WATTLINE__TRACES__ENDPOINT", endpoint.to_owned()),
        ("WATTLINE__TRACES__SAMPLE_RATIO", "1".to_owned()),
    ];
    for kind in KINDS {
        shape.settings.extend(traces.clone().map(|(name, value)| (kind, name, value)));
    }
    let system = assert_ok(System::start(shape).await);
    assert_ok(system.add(ServiceKind::QueryApi));
    let config = system.stack.dir().join("ingest.toml");
    let route = "[[routes]]\nfilter = \"+/events/rpc\"\ndecoder = \"shelly\"\nmeter_id = \"{1}\"\nmax_power_w = 2500.0\n";
    std::fs::write(&config, route).expect("a file in the stack's folder");
    let kind = ServiceKind::MqttIngest;
    let program = assert_ok(bin_dir()).join(kind.binary());
    let mut launch: Launch = system.stack.launch(program, "mqtt-ingest-0").args(["--config".into(), config]);
    launch.environment = assert_ok(system.stack.service_env(kind, 0));
    launch.environment.extend(traces.map(|(name, value)| (name.to_owned(), value)));
    let ingest = assert_ok(ServiceProcess::start_launch(kind, launch));
    assert_ok(system.wait_ready().await);
    assert_ok(ingest.wait_ready().await);
    (system, ingest)
}

async fn publish(system: &System, topic: &str, payloads: Vec<String>) {
    let message =
        |payload: String| Message { topic: topic.into(), payload: payload.into_bytes(), first_of: None };
    let broker = assert_ok(system.target()).broker;
    let mut publisher = Publisher::new(broker, "journey".to_owned(), Arc::default());
    let stop = CancellationToken::new();
    let mut messages = payloads.into_iter().map(message);
    assert_ok(publisher.publish(&mut messages, Pace::unlimited(), &stop).await);
}

/// A plug's notification: its time in s, and what it has counted in Wh.
fn notification(ts_s: i64, total_wh: i64) -> String {
    let params = json!({"ts": ts_s, "switch:0": {"id": 0, "apower": 60.0, "aenergy": {"total": total_wh}}});
    json!({"src": "plug", "method": "NotifyStatus", "params": params}).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_followed_through_four_processes() {
    let (endpoint, received) = collector().await;
    let (system, ingest) = start(&endpoint).await;
    let now_s = Timestamp::now().micros() / 1_000_000;
    // All but the last are from before: the registry needs some distances and steps to tell what is usual.
    let many: Vec<String> =
        (0..12).map(|number| notification(now_s - 10 * (12 - number), 1_000 + 10 * number)).collect();
    publish(&system, "journey-plug/events/rpc", many).await;
    assert_linked(&system, &received).await;
    assert_registered(&system, "journey-plug/switch:0").await;
    assert_ok(ingest.stop().await);
}

/// Each message has a span, and what was made of it in each process links to it.
async fn assert_linked(system: &System, received: &Received) {
    let later = [
        ("wattline-timescale-sink", "batch"),
        ("wattline-aggregator", "group"),
        ("wattline-query-api", "tail"),
    ];
    let messages = || {
        let received = received.lock();
        let produced = received.iter().filter(|(service, _)| service == "wattline-mqtt-ingest");
        let messages = produced.filter(|(_, span)| span.name == "message");
        messages.map(|(_, span)| (span.trace_id.clone(), span.span_id.clone())).collect::<BTreeSet<_>>()
    };
    let linked = |service: &str, name: &str| {
        let received = received.lock();
        let spans = received.iter().filter(|(from, span)| from == service && span.name == name);
        let links = spans.flat_map(|(_, span)| &span.links);
        links.map(|link| (link.trace_id.clone(), link.span_id.clone())).collect::<BTreeSet<_>>()
    };
    let whole = system.wait_for("every message's span and links", async || {
        let messages = messages();
        let all = later.iter().all(|(service, name)| linked(service, name) == messages);
        Ok(messages.len() == 12 && all)
    });
    if let Err(error) = whole.await {
        let links = later.map(|(service, name)| (service, linked(service, name).len()));
        panic!("{error:#}: {} messages, links {links:?}", messages().len());
    }
}

/// What mqtt-ingest said of the meter, and what its readings did, by GraphQL.
async fn assert_registered(system: &System, meter: &str) {
    let url = format!("http://{}/graphql", assert_ok(system.stack.http_address()));
    let query = "query ($id: ID!) { meter(id: $id) { route family maxPowerW expectedS resolutionWh } }";
    let question = json!({"query": query, "variables": {"id": meter}});
    let expected = json!({
        "route": "+/events/rpc", "family": "shelly", "maxPowerW": 2500.0, "expectedS": 10, "resolutionWh": 10.0,
    });
    let client = reqwest::Client::new();
    let mut last = serde_json::Value::Null;
    let told = system.wait_for("the registry", async || {
        let answer = client.post(&url).json(&question).send().await?.json::<serde_json::Value>().await?;
        last = answer;
        Ok(last["data"]["meter"] == expected)
    });
    if let Err(error) = told.await {
        panic!("{error:#}: {last}");
    }
}
