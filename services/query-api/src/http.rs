//! The server: GraphQL over HTTP and WebSocket, the live page, GraphiQL.

mod assets;
mod guard;
mod protocol;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{from_fn_with_state, map_response_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate, SizeAbove};

use crate::auth::Access;
use crate::config::Config;
use crate::graphql::ApiSchema;
use crate::metrics::{Metrics, RefusedLabels};

/// What is shorter fits into one packet anyway.
const COMPRESSED_BYTES_MIN: u16 = 1400;

/// The bound, not yet serving server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

/// What the handlers share.
#[derive(Clone, Debug)]
struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    schema: Schema,
    access: Access,
    config: Config,
    metrics: Metrics,
    shutdown: CancellationToken,
    requests: Semaphore,
    sockets: Arc<Semaphore>,
}

/// The schema; it has no `Debug` of its own.
struct Schema(ApiSchema);

/// Binds the server.
///
/// # Errors
/// Where the token can't be read or the address can't be bound.
pub async fn bind(
    config: &Config,
    schema: ApiSchema,
    metrics: Metrics,
    shutdown: CancellationToken,
) -> anyhow::Result<Server> {
    let http = &config.http;
    let app = App(Arc::new(Shared {
        schema: Schema(schema),
        access: Access::load(http.token_file.as_deref())?,
        requests: Semaphore::new(http.requests_at_a_time_max),
        sockets: Arc::new(Semaphore::new(http.sockets_max)),
        config: config.clone(),
        metrics,
        shutdown,
    }));
    let listen = http.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen} (http.listen): is the port taken by another process?")
    })?;
    let address = listener.local_addr().context("the listener has no address")?;
    let router = Router::new()
        .route("/graphql", get(query_by_get).post(query_by_post))
        .merge(assets::router(&app))
        .method_not_allowed_fallback(async |State(app): State<App>| {
            let text = "this address has no such method: the header Allow names those that it has";
            app.refuse(StatusCode::METHOD_NOT_ALLOWED, "method", text)
        })
        .layer(DefaultBodyLimit::max(http.request_bytes_max))
        .layer(compression())
        .layer(guard::cors(http))
        .layer(from_fn_with_state(app.clone(), guard::check))
        .layer(map_response_with_state(app.clone(), guard::add_headers))
        .with_state(app);
    Ok(Server { listener, address, router })
}

// === impl Server ===

impl Server {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then finishes what was begun.
    ///
    /// # Errors
    /// Where the listener fails.
    pub async fn serve(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        axum::serve(self.listener, self.router)
            .with_graceful_shutdown(async move { shutdown.cancelled().await })
            .await
            .context("the HTTP server has ended")
    }
}

/// Series are the same names over and over: a month of hours is a fiftieth. WebSockets are no bodies and pass as they
/// are, and so does what is compressed already.
fn compression() -> CompressionLayer<impl Predicate> {
    CompressionLayer::new().compress_when(DefaultPredicate::new().and(SizeAbove::new(COMPRESSED_BYTES_MIN)))
}

/// A query in an address: that of `GET`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddressQuery {
    query: String,
    operation_name: Option<String>,
    /// As JSON.
    variables: Option<String>,
}

/// A WebSocket, or one query in the address: clients ask so what is short, and caches know it by its address. Nothing
/// that is asked so may change anything; the schema has no mutations.
async fn query_by_get(
    State(app): State<App>,
    headers: HeaderMap,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    address: Result<Query<AddressQuery>, QueryRejection>,
) -> Response {
    if let Ok(socket) = socket {
        return upgrade(app, socket);
    }
    let Ok(Query(AddressQuery { query, operation_name, variables })) = address else {
        let text = "ask here by POST as JSON, by GET with ?query=…, or open a WebSocket with the protocol \
                    graphql-transport-ws";
        return app.refuse(StatusCode::BAD_REQUEST, "query", text);
    };
    let variables = match variables.map(|text| serde_json::from_str(&text)).transpose() {
        Ok(variables) => variables.unwrap_or_default(),
        Err(error) => {
            let text = format!("`variables` in the address is no JSON object: {error}");
            return app.refuse(StatusCode::BAD_REQUEST, "query", &text);
        }
    };
    let mut request = async_graphql::Request::new(query).variables(variables);
    request.operation_name = operation_name;
    app.answer(&headers, request).await
}

/// One query as JSON in a POST. Only this content type: a form of another site can't make it.
async fn query_by_post(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/json"));
    if !json {
        let text = "send the query as JSON, with the header `Content-Type: application/json`";
        return app.refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", text);
    }
    let body = match body {
        Ok(body) => body,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let bytes_max = app.0.config.http.request_bytes_max;
            let text = format!("the body is too long: at most {bytes_max} bytes (http.request_bytes_max)");
            return app.refuse(StatusCode::PAYLOAD_TOO_LARGE, "body", &text);
        }
        Err(error) => return app.refuse(StatusCode::BAD_REQUEST, "body", &error.body_text()),
    };
    match serde_json::from_slice(&body) {
        Ok(request) => app.answer(&headers, request).await,
        Err(error) => {
            let text = format!("the body is no GraphQL request {{\"query\": …, \"variables\": …}}: {error}");
            app.refuse(StatusCode::BAD_REQUEST, "body", &text)
        }
    }
}

/// A WebSocket for subscriptions. Its token, where one is needed, comes with `connection_init`.
fn upgrade(app: App, upgrade: WebSocketUpgrade) -> Response {
    let Ok(place) = Arc::clone(&app.0.sockets).try_acquire_owned() else {
        let text = "too many WebSockets at a time: try again later";
        return app.refuse(StatusCode::SERVICE_UNAVAILABLE, "sockets", text);
    };
    // The library's own buffers are 128 KiB a socket; live events are small.
    const BUFFER_BYTES: usize = 4096;
    let bytes_max = app.0.config.http.request_bytes_max;
    let upgrade = upgrade
        .protocols([protocol::NAME])
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(bytes_max)
        .max_frame_size(bytes_max);
    if upgrade.selected_protocol().is_none() {
        let text = "the WebSocket must speak the protocol graphql-transport-ws";
        return app.refuse(StatusCode::BAD_REQUEST, "protocol", text);
    }
    upgrade.on_upgrade(async move |socket| {
        app.0.metrics.sockets.inc();
        websocket::serve(socket, &app).await;
        app.0.metrics.sockets.dec();
        drop(place);
    })
}

// === impl App ===

impl App {
    fn admits(&self, headers: &HeaderMap) -> bool {
        let authorization = headers.get(header::AUTHORIZATION);
        self.0.access.admits(authorization.and_then(|value| value.to_str().ok()))
    }

    /// Runs one query, for who may ask.
    async fn answer(&self, headers: &HeaderMap, request: async_graphql::Request) -> Response {
        if !self.admits(headers) {
            let text = "send the header `Authorization: Bearer <token>`";
            return self.refuse(StatusCode::UNAUTHORIZED, "token", text);
        }
        let Ok(_turn) = self.0.requests.try_acquire() else {
            let text = "too many requests at a time: try again in a second";
            return self.refuse(StatusCode::SERVICE_UNAVAILABLE, "busy", text);
        };
        let response = self.0.schema.0.execute(request).await;
        match serde_json::to_vec(&response) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => {
                let error = crate::error::ApiError::internal(&error.to_string());
                self.refuse(StatusCode::INTERNAL_SERVER_ERROR, "encoding", error.message())
            }
        }
    }

    /// An answer in the form of a GraphQL error, counted.
    fn refuse(&self, status: StatusCode, reason: &'static str, text: &str) -> Response {
        self.0.metrics.refused.get_or_create(&RefusedLabels { reason }).inc();
        let code = reason.to_uppercase();
        let body = serde_json::json!({"errors": [{"message": text, "extensions": {"code": code}}]});
        let mut response = (status, axum::Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

// === impl Schema ===

impl std::fmt::Debug for Schema {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Schema")
    }
}
