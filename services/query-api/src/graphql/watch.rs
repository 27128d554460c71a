//! Around every query: a deadline, counting, and no internals in what goes out.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery, NextRequest};
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Response, ServerError, ServerResult, Variables};
use tokio::time::{Instant, timeout};

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

/// The extension; each query has a clone of its own.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    metrics: Metrics,
    timeout: Duration,
    kind: OnceLock<&'static str>,
}

// === impl Watch ===

impl Watch {
    pub(super) const fn new(metrics: Metrics, timeout: Duration) -> Self {
        Self { metrics, timeout, kind: OnceLock::new() }
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
        let kind = self.kind.get().copied().unwrap_or("other");
        let duration = self.metrics.query_duration.get_or_create(&KindLabels { kind });
        duration.observe(begun.elapsed().as_secs_f64());
        response
    }

    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(ctx, query, variables).await?;
        self.kind.get_or_init(|| kind(&document));
        Ok(document)
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
    use super::*;

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
