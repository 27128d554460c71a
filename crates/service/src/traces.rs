//! Traces: spans by OTLP to a collector, and their context in the headers of Kafka's records. Off unless an endpoint is
//! set: then no record has a header, and a message costs one branch.
//!
//! A *message* is chosen by its number, so that all of its records go together. Whoever reads the records has batches,
//! which are nobody's child: they *link* to the messages in them. A batch with such a link is always taken; of the
//! other spans that begin a trace the same share is taken as of messages.
//!
//! Nothing outside of this module knows of OpenTelemetry.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use documented::DocumentedFields;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt as _, TraceId};
use opentelemetry::{Context, KeyValue, trace};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SamplingResult, SdkTracerProvider, ShouldSample};
use rdkafka::Message;
use rdkafka::message::{Header, Headers as _, OwnedHeaders};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tracing::{Span, info, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::config::absent_if_empty;

/// Section `[traces]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TraceSettings {
    /// Where a collector takes OTLP over HTTP, such as "http://127.0.0.1:4318". Empty: no traces.
    #[serde(deserialize_with = "absent_if_empty")]
    pub endpoint: Option<String>,
    /// Share of messages, requests and batches that is traced, 0 to 1.
    pub sample_ratio: f64,
    /// How long one export may take, in ms. Spans that can't be sent are dropped.
    pub timeout_ms: u64,
}

/// Sends spans until it is [stopped](Exporter::stop).
#[derive(Debug)]
pub struct Exporter {
    provider: SdkTracerProvider,
    name: &'static str,
}

/// Chosen messages on their way into Kafka: each has a span from its first record until Kafka has all of them.
#[derive(Debug, Default)]
pub struct InFlight(Mutex<HashMap<u64, (Span, u32)>>);

/// The span of a chosen message, as a header of its records names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenMessage(SpanContext);

/// The chosen messages whose records are in a batch; at most [`LINKS_MAX`] of them.
#[derive(Clone, Debug, Default)]
pub struct Links(Vec<ChosenMessage>);

/// Links of one batch; more say nothing new.
pub const LINKS_MAX: usize = 128;

/// The header of W3C's Trace Context.
const HEADER: &str = "traceparent";

/// A message is chosen where its [`place`] is not above this; 0: traces are off.
static CHOSEN_TO: AtomicU32 = AtomicU32::new(0);

/// Starts sending spans, if there is an endpoint.
///
/// # Errors
/// Where the settings make no sense. A collector that is away is none: it is said in the log.
pub fn start(
    settings: &TraceSettings,
    name: &'static str,
    runtime: Handle,
) -> anyhow::Result<Option<Exporter>> {
    let Some(endpoint) = &settings.endpoint else { return Ok(None) };
    settings.validate()?;
    let timeout = Duration::from_millis(settings.timeout_ms);
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let collector = Collector {
        client: HyperClient::with_default_connector(timeout, None),
        runtime,
        endpoint: endpoint.clone(),
        away: AtomicBool::new(false),
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(collector)
        .with_endpoint(url)
        .with_timeout(timeout)
        .build()
        .with_context(|| format!("traces.endpoint {endpoint} can't be used"))?;
    let resource = Resource::builder_empty()
        .with_service_name(format!("wattline-{name}"))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", instance()))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Choice(Sampler::TraceIdRatioBased(settings.sample_ratio)))
        .with_resource(resource)
        .build();
    CHOSEN_TO.store(settings.chosen_to(), Ordering::Relaxed);
    Ok(Some(Exporter { provider, name }))
}

/// Which process of which machine or pod this is.
fn instance() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}/{}", host.trim_end(), std::process::id())
}

/// Where in the choice a message of this number lies: as good as random, and the same for each of its records.
const fn place(number: u64) -> u32 {
    // Multiplication by the golden ratio spreads numbers that follow each other.
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

fn is_chosen(number: u64) -> bool {
    let chosen_to = CHOSEN_TO.load(Ordering::Relaxed);
    chosen_to != 0 && place(number) <= chosen_to
}

// === impl TraceSettings ===

impl Default for TraceSettings {
    fn default() -> Self {
        Self::OFF
    }
}

impl TraceSettings {
    /// No endpoint, so no traces.
    pub const OFF: Self = Self { endpoint: None, sample_ratio: 0.01, timeout_ms: 5000 };

    /// Checks what types can't say.
    ///
    /// # Errors
    /// Which key is wrong, and what to write.
    pub fn validate(&self) -> anyhow::Result<()> {
        ensure!(
            (0.0..=1.0).contains(&self.sample_ratio),
            "traces.sample_ratio is {}, must be 0 to 1",
            self.sample_ratio
        );
        ensure!(
            (100..=60_000).contains(&self.timeout_ms),
            "traces.timeout_ms is {}, must be 100 to 60000",
            self.timeout_ms
        );
        if let Some(endpoint) = &self.endpoint {
            ensure!(
                endpoint.starts_with("http://"),
                "traces.endpoint is {endpoint:?}: write http://host:port of a collector on this machine or in this \
                 pod, which goes on by TLS where the way is long"
            );
        }
        Ok(())
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of u32, and saturating"
    )]
    fn chosen_to(&self) -> u32 {
        (self.sample_ratio * f64::from(u32::MAX)) as u32
    }
}

// === impl Exporter ===

impl Exporter {
    /// The layer that makes spans out of tracing's.
    #[must_use]
    pub fn layer<S>(&self) -> impl tracing_subscriber::Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
    {
        use opentelemetry::trace::TracerProvider as _;
        let tracer = self.provider.tracer(self.name);
        // Times of work and waiting would cost a clock reading each time a span is entered.
        tracing_opentelemetry::layer().with_tracer(tracer).with_threads(false).with_tracked_inactivity(false)
    }

    /// Sends what is left, for at most `deadline`, and stops.
    pub fn stop(self, deadline: Duration) {
        CHOSEN_TO.store(0, Ordering::Relaxed);
        if let Err(error) = self.provider.shutdown_with_timeout(deadline) {
            info!("the last traces could not be sent: {error}");
        }
    }
}

// === impl InFlight ===

impl InFlight {
    /// The headers for one more record of this message, if it is chosen; `span` makes its span, for the first of them.
    pub fn begin(&self, number: u64, span: impl FnOnce() -> Span) -> Option<OwnedHeaders> {
        if !is_chosen(number) {
            return None;
        }
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (span, records) = spans.entry(number).or_insert_with(|| (span(), 0));
        *records += 1;
        headers(span)
    }

    /// Kafka has one record of this message, or has refused it.
    pub fn end(&self, number: u64) {
        if !is_chosen(number) {
            return;
        }
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, records)) = spans.get_mut(&number) {
            *records -= 1;
            if *records == 0 {
                spans.remove(&number);
            }
        }
    }
}

/// The context of a span as headers of a record.
fn headers(span: &Span) -> Option<OwnedHeaders> {
    let mut value = Carrier(None);
    TraceContextPropagator::new().inject_context(&span.context(), &mut value);
    let value = value.0?;
    Some(OwnedHeaders::new_with_capacity(1).insert(Header { key: HEADER, value: Some(&value) }))
}

// === impl ChosenMessage ===

impl ChosenMessage {
    /// The message that a record is of, where it was chosen and traces are on here too.
    #[must_use]
    pub fn of(record: &impl Message) -> Option<Self> {
        if CHOSEN_TO.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let headers = record.headers()?;
        let value = headers.iter().find(|header| header.key == HEADER)?.value?;
        message_of(value).map(Self)
    }

    /// Gives it to the span of what is made of its record, which must not have been entered yet.
    pub fn attach(&self, span: &Span) {
        span.add_link(self.0.clone());
    }
}

// === impl Links ===

impl Links {
    /// Notes the message that a record is of, where it was chosen and traces are on here too.
    pub fn note(&mut self, record: &impl Message) {
        if self.0.len() < LINKS_MAX
            && let Some(message) = ChosenMessage::of(record)
        {
            self.add(message);
        }
    }

    /// One more of them.
    pub fn add(&mut self, message: ChosenMessage) {
        // The records of one message follow each other.
        if self.0.len() < LINKS_MAX && self.0.last() != Some(&message) {
            self.0.push(message);
        }
    }

    /// Gives them to the span of the batch, or of one more try of it, which must not have been entered yet.
    pub fn attach(&self, span: &Span) {
        for message in &self.0 {
            message.attach(span);
        }
    }
}

/// The message's span that a header names.
fn message_of(value: &[u8]) -> Option<SpanContext> {
    let carrier = Carrier(Some(str::from_utf8(value).ok()?.to_owned()));
    let context = TraceContextPropagator::new().extract(&carrier);
    Some(context.span().span_context().clone()).filter(SpanContext::is_valid)
}

/// One header.
struct Carrier(Option<String>);

impl Injector for Carrier {
    fn set(&mut self, key: &str, value: String) {
        if key == HEADER {
            self.0 = Some(value);
        }
    }
}

impl Extractor for Carrier {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.as_deref().filter(|_| key == HEADER)
    }

    fn keys(&self) -> Vec<&str> {
        vec![HEADER]
    }
}

/// Which spans are taken: those below a taken one, chosen messages, what links to one, and a share of the others.
#[derive(Clone, Debug)]
struct Choice(Sampler);

impl ShouldSample for Choice {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[trace::Link],
    ) -> SamplingResult {
        let chosen = *kind == SpanKind::Producer || links.iter().any(|link| link.span_context.is_sampled());
        let sampler = match parent.filter(|context| context.has_active_span()) {
            _ if chosen => &Sampler::AlwaysOn,
            Some(parent) if parent.span().span_context().is_sampled() => &Sampler::AlwaysOn,
            Some(_) => &Sampler::AlwaysOff,
            None => &self.0,
        };
        sampler.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}

/// The collector. Its requests run on the service's runtime, because the exporter's own thread has none.
#[derive(Debug)]
struct Collector {
    client: HyperClient,
    runtime: Handle,
    endpoint: String,
    away: AtomicBool,
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let answer = self.runtime.spawn(async move { client.send_bytes(request).await }).await?;
        let failure = match &answer {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(response.status().to_string()),
            Err(error) => Some(error.to_string()),
        };
        // Said once, not for each export.
        match (failure, self.away.load(Ordering::Relaxed)) {
            (Some(failure), false) => {
                self.away.store(true, Ordering::Relaxed);
                warn!(
                    "traces can't be sent to {} (traces.endpoint): {failure}; they are dropped",
                    self.endpoint
                );
            }
            (None, true) => {
                self.away.store(false, Ordering::Relaxed);
                info!("traces can be sent to {} again", self.endpoint);
            }
            _ => {}
        }
        answer
    }
}

#[cfg(test)]
#[path = "traces_tests.rs"]
mod tests;
