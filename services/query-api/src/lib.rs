//! query-api: GraphQL over what TimescaleDB has stored and Kafka is bringing, and the live page.

pub mod auth;
mod check;
pub mod config;
pub mod error;
pub mod graphql;
pub mod http;
pub mod live;
pub mod metrics;
pub mod store;

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wattline_service::{Backoff, Condition, Context};

pub use config::Config;

use live::{Live, Tail};
use metrics::Metrics;
use store::Store;

/// How often the database is asked whether it is there.
const PROBE_EVERY: Duration = Duration::from_secs(10);

/// Serves until `context.shutdown`: pool → live tail → schema → routes.
///
/// # Errors
/// Where the address can't be bound or a setting makes no sense; a database or Kafka that is away is waited for.
pub async fn run(config: Config, context: Context) -> anyhow::Result<()> {
    let metrics = Metrics::new(&context.metrics);
    let connections_max = config.limits.database_connections_max;
    let pool = config.database.pool("wattline-query-api", connections_max)?;
    let store = Store::new(pool, config.limits.snapshots_at_a_time_max);
    let live = Live::new(config.live.clone(), metrics.clone());
    let schema = graphql::schema(&config, store.clone(), live.clone(), metrics.clone());
    let shutdown = context.shutdown.clone();
    let server = http::bind(&config, schema, metrics, shutdown.clone()).await?;
    info!(
        address = %server.address(),
        "the live page is at http://{0}/, GraphQL at http://{0}/graphql",
        server.address()
    );

    let caught_up = context.ready.condition("kafka", "the live tail has not caught up yet");
    let answers = context.ready.condition("database", "has not answered yet");
    let mut tasks = JoinSet::new();
    tasks.spawn(Tail::new(live, config.kafka.clone(), caught_up).run(shutdown.clone()));
    tasks.spawn(watch_database(store, answers, shutdown.clone()));
    let outcome = server.serve(shutdown.clone()).await;
    shutdown.cancel();
    while tasks.join_next().await.is_some() {}
    outcome
}

/// Ready means that queries can be answered, so the database must have been there once. While it is away it is away from
/// every replica: were none ready, nobody would get an answer that says so, nor the live page, nor a live stream.
async fn watch_database(store: Store, answers: Condition, shutdown: CancellationToken) {
    let mut answered = false;
    let mut backoff = Backoff::default();
    loop {
        let probe = tokio::select! {
            () = shutdown.cancelled() => return,
            probe = store.probe() => probe,
        };
        let wait = match probe {
            Ok(()) => {
                answered = true;
                answers.holds();
                backoff.reset();
                PROBE_EVERY
            }
            Err(error) => {
                warn!(error = error.to_string(), "the database can't be used: {error}");
                if answered && error.passes {
                    answers.holds_without(error.to_string());
                } else {
                    answers.fails(error.to_string());
                }
                backoff.next_wait()
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
