use std::net::Ipv4Addr;

use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span as Received;
use prost::Message as _;
use rdkafka::Timestamp;
use rdkafka::message::OwnedMessage;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::info_span;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::*;

/// A receiver of OTLP over HTTP, as its document says: protobuf by POST to `/v1/traces`, answered 200.
async fn collector() -> (String, mpsc::Receiver<ExportTraceServiceRequest>) {
    let (sender, receiver) = mpsc::channel(16);
    let take = async move |body: Bytes| {
        sender.send(ExportTraceServiceRequest::decode(body).unwrap()).await.unwrap();
        Vec::<u8>::new()
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/v1/traces", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (endpoint, receiver)
}

fn record(headers: Option<OwnedHeaders>) -> OwnedMessage {
    OwnedMessage::new(None, None, "readings".to_owned(), Timestamp::NotAvailable, 0, 0, headers)
}

fn message() -> Span {
    info_span!(parent: None, "message", otel.kind = "producer", broker = "home")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_links_to_the_messages_in_it_and_both_reach_a_collector() {
    let (endpoint, mut received) = collector().await;
    let settings = TraceSettings { endpoint: Some(endpoint), sample_ratio: 1.0, ..TraceSettings::default() };
    let exporter = start(&settings, "test", Handle::current()).unwrap().unwrap();
    let subscriber = tracing_subscriber::registry().with(exporter.layer()).set_default();

    let in_flight = InFlight::default();
    let records = [7, 7, 8].map(|number| record(in_flight.begin(number, message)));
    [7, 8, 7].into_iter().for_each(|number| in_flight.end(number));
    assert!(in_flight.0.lock().unwrap().is_empty());

    let mut links = Links::default();
    records.iter().for_each(|record| links.note(record));
    links.note(&record(None));
    let span = info_span!("batch", records = 4);
    links.attach(&span);
    span.in_scope(|| {});
    drop(span);
    drop(subscriber);
    tokio::task::spawn_blocking(move || exporter.stop(Duration::from_secs(10))).await.unwrap();

    let request = received.recv().await.unwrap();
    let resource = &request.resource_spans[0];
    let name = resource.resource.as_ref().unwrap().attributes.iter().find(|pair| pair.key == "service.name");
    assert!(format!("{name:?}").contains("wattline-test"), "{name:?}");
    let spans: Vec<&Received> = resource.scope_spans.iter().flat_map(|scope| &scope.spans).collect();
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["message", "message", "batch"], "one for each message, however many records it has");
    let batch = spans[2];
    assert!(batch.parent_span_id.is_empty(), "a batch is nobody's child");
    // 8 was done first.
    let linked: Vec<&[u8]> = batch.links.iter().map(|link| link.span_id.as_slice()).collect();
    assert_eq!(linked, [&spans[1].span_id, &spans[0].span_id]);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let context = format!("00-{}-{}-01", hex(&spans[1].trace_id), hex(&spans[1].span_id));
    let header = records[0].headers().unwrap().get(0);
    assert_eq!((header.key, header.value), ("traceparent", Some(context.as_bytes())));

    assert!(in_flight.begin(9, message).is_none(), "off again: no header");
    let mut links = Links::default();
    links.note(&records[0]);
    assert!(links.0.is_empty(), "off again: headers of others are not read");
}

#[test]
fn a_share_of_messages_is_chosen_evenly() {
    for (ratio, expected) in [(0.0, 0..1), (0.01, 990..1_011), (0.5, 49_900..50_101), (1.0, 99_999..100_001)]
    {
        let chosen_to = TraceSettings { sample_ratio: ratio, ..TraceSettings::default() }.chosen_to();
        let chosen = (1..=100_000).filter(|number| place(*number) <= chosen_to).count();
        assert!(expected.contains(&chosen), "{ratio}: {chosen}");
    }
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let endpoint = |text: &str| TraceSettings { endpoint: Some(text.to_owned()), ..TraceSettings::default() };
    endpoint("http://127.0.0.1:4318").validate().unwrap();
    for (settings, word) in [
        (endpoint("https://collector:4318"), "traces.endpoint"),
        (TraceSettings { sample_ratio: 1.5, ..TraceSettings::default() }, "traces.sample_ratio"),
        (TraceSettings { sample_ratio: f64::NAN, ..TraceSettings::default() }, "traces.sample_ratio"),
        (TraceSettings { timeout_ms: 0, ..TraceSettings::default() }, "traces.timeout_ms"),
    ] {
        let error = settings.validate().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn what_only_looks_like_a_context_is_no_link() {
    for value in ["", "00", "00-0-0-01", "00-00000000000000000000000000000000-0000000000000000-01", "\u{e9}"]
    {
        assert_eq!(message_of(value.as_bytes()), None, "{value:?}");
    }
    let value = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert!(message_of(value).unwrap().is_sampled());
}
