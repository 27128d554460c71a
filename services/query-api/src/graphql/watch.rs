//! Around every query: a deadline, counting, and no internals in what goes out.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextRequest};
use async_graphql::{Response, ServerError};
use tokio::time::{Instant, timeout};

use crate::error::ApiError;
use crate::metrics::{Metrics, QueryLabels};

/// The extension; one instance serves all queries.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    metrics: Metrics,
    timeout: Duration,
}

// === impl Watch ===

impl Watch {
    pub(super) const fn new(metrics: Metrics, timeout: Duration) -> Self {
        Self { metrics, timeout }
    }
}

impl ExtensionFactory for Watch {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(self.clone())
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Watch {
    /// Around a whole query, its checks included; the events of a subscription don't pass here.
    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        let begun = Instant::now();
        let response = timeout(self.timeout, next.run(ctx)).await.unwrap_or_else(|_| {
            let text = format!(
                "the query took longer than {} s: ask for less at a time",
                self.timeout.as_secs_f64()
            );
            let error: async_graphql::Error = ApiError::Timeout(text).into();
            Response::from_errors(vec![error.into_server_error(async_graphql::Pos::default())])
        });
        let outcome = outcome(&response.errors);
        self.metrics.queries.get_or_create(&QueryLabels { outcome }).inc();
        self.metrics.query_duration.observe(begun.elapsed().as_secs_f64());
        response
    }
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
