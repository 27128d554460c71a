//! Around every query: a deadline, counting, a span, and no internals in what goes out.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextParseQuery, NextPrepareRequest,
    NextRequest,
};
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationType, Selection, SelectionSet,
};
use async_graphql::{Context, Request, Response, ServerError, ServerResult, Variables};
use tokio::time::{Instant, timeout};
use tracing::field::Empty;
use tracing::{Instrument as _, Span, debug, info_span};

use crate::error::ApiError;
use crate::metrics::{KindLabels, Metrics, QueryLabels};

/// Fields that read the database, the dearest first, and the kind that they make of a query.
const DEAREST_FIRST: [(&str, &str); 5] = [
    ("energy", "energy"),
    ("readings", "readings"),
    ("meters", "meters"),
    ("meter", "meters"),
    ("latest", "meters"),
];

/// What is longer of an operation's name is not logged: the client chooses it.
const OPERATION_CHARS_MAX: usize = 64;

/// Makes a [`Watch`] for each request.
#[derive(Clone, Debug)]
pub(super) struct Watches {
    metrics: Metrics,
    timeout: Duration,
}

/// The extension, of one request.
#[derive(Debug)]
struct Watch {
    metrics: Metrics,
    timeout: Duration,
    asked: Arc<Asked>,
}

/// What is known of a request, for its span. Neither variables nor texts of the query are: they may be anything.
#[derive(Debug, Default)]
struct Asked {
    kind: OnceLock<&'static str>,
    /// A name of the document, so that it holds letters, digits and underscores only.
    operation: OnceLock<String>,
    /// The name that the request chose among those of the document.
    chosen: OnceLock<String>,
    /// It runs inside of its span already, or is a stream, which has one of its own.
    watched: AtomicBool,
    rows: AtomicUsize,
    points: AtomicUsize,
}

/// Counts readings and meters that a request brings.
pub(super) fn count_rows(ctx: &Context<'_>, rows: usize) {
    if let Some(asked) = ctx.data_opt::<Arc<Asked>>() {
        asked.rows.fetch_add(rows, Ordering::Relaxed);
    }
}

/// Counts points of series that a request brings.
pub(super) fn count_points(ctx: &Context<'_>, points: usize) {
    if let Some(asked) = ctx.data_opt::<Arc<Asked>>() {
        asked.points.fetch_add(points, Ordering::Relaxed);
    }
}

// === impl Watches ===

impl Watches {
    pub(super) const fn new(metrics: Metrics, timeout: Duration) -> Self {
        Self { metrics, timeout }
    }
}

impl ExtensionFactory for Watches {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Watch { metrics: self.metrics.clone(), timeout: self.timeout, asked: Arc::default() })
    }
}

// === impl Watch ===

#[async_graphql::async_trait::async_trait]
impl Extension for Watch {
    /// Around a whole query over HTTP, its checks included.
    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        self.watch(next.run(ctx)).await
    }

    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        if let Some(name) = &request.operation_name {
            self.asked.chosen.get_or_init(|| name.clone());
        }
        next.run(ctx, request.data(Arc::clone(&self.asked))).await
    }

    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(ctx, query, variables).await?;
        self.asked.learn(&document);
        self.asked.name(&Span::current());
        Ok(document)
    }

    /// A query over a WebSocket passes only here; so does each event of a stream.
    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        if self.asked.watched.load(Ordering::Relaxed) {
            return next.run(ctx, operation_name).await;
        }
        self.watch(next.run(ctx, operation_name)).await
    }
}

impl Watch {
    async fn watch(&self, run: impl Future<Output = Response>) -> Response {
        self.asked.watched.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        let span = info_span!(
            "request",
            operation = Empty,
            kind = Empty,
            duration_ms = Empty,
            errors = Empty,
            rows = Empty,
            points = Empty
        );
        self.asked.name(&span);
        let response = timeout(self.timeout, run.instrument(span.clone())).await.unwrap_or_else(|_| {
            let text = format!(
                "the query took longer than {} s: ask for less at a time",
                self.timeout.as_secs_f64()
            );
            Response::from_errors(vec![ApiError::Timeout(text).into_server_error()])
        });
        let outcome = outcome(&response.errors);
        self.metrics.queries.get_or_create(&QueryLabels { outcome }).inc();
        let kind = self.asked.kind.get().copied().unwrap_or("other");
        let duration = self.metrics.query_duration.get_or_create(&KindLabels { kind });
        let elapsed = begun.elapsed().as_secs_f64();
        duration.observe(elapsed);
        span.record("kind", kind)
            .record("duration_ms", elapsed * 1000.0)
            .record("errors", response.errors.len());
        span.record("rows", self.asked.rows.load(Ordering::Relaxed));
        span.record("points", self.asked.points.load(Ordering::Relaxed));
        span.in_scope(|| debug!("answered: {outcome}"));
        response
    }
}

// === impl Asked ===

impl Asked {
    fn learn(&self, document: &ExecutableDocument) {
        self.kind.get_or_init(|| kind(document));
        let DocumentOperations::Multiple(named) = &document.operations else {
            if document
                .operations
                .iter()
                .any(|(_, operation)| operation.node.ty == OperationType::Subscription)
            {
                self.watched.store(true, Ordering::Relaxed);
            }
            return;
        };
        let chosen = self.chosen.get().map(String::as_str);
        let found = named.iter().find(|(name, _)| named.len() == 1 || Some(name.as_str()) == chosen);
        if let Some((name, operation)) = found {
            self.operation.get_or_init(|| name.chars().take(OPERATION_CHARS_MAX).collect());
            if operation.node.ty == OperationType::Subscription {
                self.watched.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Says the operation's name where it is known already.
    fn name(&self, span: &Span) {
        if let Some(operation) = self.operation.get() {
            span.record("operation", operation.as_str());
        }
    }
}

/// The dearest thing that a query asks, in its fragments too.
fn kind(document: &ExecutableDocument) -> &'static str {
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    let rank = operations.chain(fragments).filter_map(dearest).min();
    rank.and_then(|rank| DEAREST_FIRST.get(rank)).map_or("other", |(_, kind)| kind)
}

/// The least index in [`DEAREST_FIRST`] of the fields below; the parser has bounded their depth.
fn dearest(set: &SelectionSet) -> Option<usize> {
    let ranks = set.items.iter().filter_map(|item| match &item.node {
        Selection::Field(field) => {
            let name = field.node.name.node.as_str();
            let own = DEAREST_FIRST.iter().position(|(dear, _)| *dear == name);
            own.into_iter().chain(dearest(&field.node.selection_set.node)).min()
        }
        Selection::InlineFragment(fragment) => dearest(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => None,
    });
    ranks.min()
}

fn outcome(errors: &[ServerError]) -> &'static str {
    let ours = |error: &ServerError| {
        let code = error.extensions.as_ref().and_then(|values| values.get("code"));
        let code = code.map(ToString::to_string).unwrap_or_default();
        ["INTERNAL", "UNAVAILABLE", "TIMEOUT"].iter().any(|ours| code.contains(ours))
    };
    match errors {
        [] => "ok",
        errors if errors.iter().any(ours) => "server_error",
        _ => "client_error",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};
    use parking_lot::Mutex;
    use wattline_service::metrics::Metrics as Registry;

    use super::*;

    struct Rows;

    #[Object]
    impl Rows {
        async fn rows(&self, ctx: &Context<'_>, count: i32) -> i32 {
            count_rows(ctx, usize::try_from(count).unwrap_or_default());
            count_points(ctx, 96);
            count
        }
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged of a request, as JSON.
    async fn line_of(query: &str, variables: serde_json::Value) -> String {
        let lines = Lines::default();
        let copy = lines.clone();
        let builder = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG);
        let subscriber = builder.json().flatten_event(true).with_writer(move || copy.clone()).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let watches = Watches::new(Metrics::new(&Registry::new("test")), Duration::from_secs(9));
        let schema = Schema::build(Rows, EmptyMutation, EmptySubscription).extension(watches).finish();
        schema.execute(Request::new(query).variables(Variables::from_json(variables))).await;
        let text = String::from_utf8(lines.0.lock().clone()).unwrap();
        text.lines().find(|line| line.contains("answered")).unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    #[tokio::test]
    async fn the_line_of_a_request_says_what_it_brought() {
        let query = "query Day($count: Int!) { rows(count: $count) more: rows(count: 2) }";
        let line: serde_json::Value =
            serde_json::from_str(&line_of(query, serde_json::json!({"count": 40})).await).unwrap();
        let span = &line["span"];
        assert_eq!(span["name"], "request");
        assert_eq!(span["operation"], "Day");
        assert_eq!((&span["rows"], &span["points"], &span["errors"]), (&42.into(), &192.into(), &0.into()));
        assert!(span["duration_ms"].as_f64().unwrap() > 0.0);
    }

    #[tokio::test]
    async fn the_line_of_a_request_keeps_the_client_s_texts_to_itself() {
        let query = "query A { rows(count: \"s3cret\") }";
        let line = line_of(query, serde_json::json!({"token": "s3cret"})).await;
        assert!(line.contains("client_error") && line.contains("\"errors\":1"), "{line}");
        assert!(!line.contains("s3cret"), "{line}");
        let long = "x".repeat(1000);
        let line = line_of(&format!("query {long} {{ rows(count: 1) }}"), serde_json::json!({})).await;
        assert!(
            line.contains(&long[..OPERATION_CHARS_MAX]) && !line.contains(&long[..=OPERATION_CHARS_MAX]),
            "{line}"
        );
    }

    #[test]
    fn a_query_is_of_the_kind_of_the_dearest_thing_in_it() {
        for (query, expected) in [
            ("{ serverTime }", "other"),
            ("{ meters { nodes { id latest { powerW } } } }", "meters"),
            ("{ meter(id: 1) { readings { nodes { ts } } } meters { nodes { id } } }", "readings"),
            (
                "{ meter(id: 1) { ...all } } fragment all on Meter { readings { nodes { ts } } energy { x } }",
                "energy",
            ),
            ("query A { meter(id: 1) { ... on Meter { energy { x } } } }", "energy"),
        ] {
            let document = async_graphql::parser::parse_query(query).unwrap();
            assert_eq!(kind(&document), expected, "{query}");
        }
    }
}
