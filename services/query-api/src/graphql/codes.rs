//! Every error leaves with a code, also those that async-graphql makes before a resolver runs, and what is too much
//! with how much it is and how much is given.

use std::sync::Arc;

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextParseQuery, NextRequest, NextSubscribe, NextValidation,
};
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{ErrorExtensionValues, Response, ServerError, ServerResult, ValidationResult, Variables};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use super::rules;
use crate::error::ApiError;

/// The text is no GraphQL. Apollo's names for both, which clients know.
const SYNTAX: &str = "GRAPHQL_PARSE_FAILED";
/// The text does not fit the schema.
const VALIDATION: &str = "GRAPHQL_VALIDATION_FAILED";
/// The schema is asked for by a query where that is switched off.
const INTROSPECTION_OFF: &str = "INTROSPECTION_OFF";

/// An argument's value makes no sense.
const BAD_INPUT: &str = "BAD_INPUT";

/// What the library says of a value that is not one of its type: where it is read, and where it is compared with the schema.
/// Which of the two it says first is not certain.
const UNREADABLE: [&str; 2] = ["Failed to parse", "Invalid value for argument"];
/// What the library says of a text that is GraphQL and too much of it, at the stage of parsing.
const TOO_MUCH: [&str; 2] = ["The recursion depth", "The number of directives"];

/// What a query may cost, and whether it may ask for the schema.
#[derive(Clone, Copy, Debug)]
pub(super) struct Codes {
    pub(super) depth_max: usize,
    pub(super) complexity_max: usize,
    pub(super) introspection: bool,
}

/// Gives an error its code, where it has none.
fn set(error: &mut ServerError, code: &str) {
    let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
    if extensions.get("code").is_none() {
        extensions.set("code", code);
    }
}

// === impl Codes ===

impl ExtensionFactory for Codes {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(*self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Codes {
    /// Around a whole query over HTTP.
    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        finish(next.run(ctx).await)
    }

    /// Around everything that runs over a WebSocket.
    fn subscribe<'s>(
        &self,
        ctx: &ExtensionContext<'_>,
        stream: BoxStream<'s, Response>,
        next: NextSubscribe<'_>,
    ) -> BoxStream<'s, Response> {
        next.run(ctx, stream).map(finish).boxed()
    }

    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(ctx, query, variables).await.map_err(unparsed)?;
        if !self.introspection && asks_for_the_schema(&document) {
            let text = "introspection is switched off here: the schema is at GET /schema.graphql";
            let mut error = ServerError::new(text, None);
            set(&mut error, INTROSPECTION_OFF);
            return Err(error);
        }
        rules::check(&ctx.schema_env.registry, &document, variables).map_err(|mut error| {
            set(&mut error, VALIDATION);
            error
        })?;
        Ok(document)
    }

    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await.map_err(|mut errors| {
            // Costs are reckoned here, so that values which they depend on are read here already.
            for error in &mut errors {
                let unreadable = UNREADABLE.iter().any(|text| error.message.starts_with(text));
                set(error, if unreadable { BAD_INPUT } else { VALIDATION });
            }
            errors
        })?;
        let ValidationResult { complexity, depth, .. } = result;
        let text = if depth > self.depth_max {
            format!("the query is nested too deep: {depth} levels, at most {}", self.depth_max)
        } else if complexity > self.complexity_max {
            format!(
                "the query is too complex: it costs {complexity}, at most {}; ask for fewer fields, smaller pages or \
                 shorter ranges",
                self.complexity_max
            )
        } else {
            return Ok(result);
        };
        Err(vec![ApiError::TooMuch(text).into_server_error()])
    }
}

/// What has no code yet is an argument's value that a resolver could not read.
fn finish(mut response: Response) -> Response {
    for error in &mut response.errors {
        if error.message.starts_with("Failed to parse \"DateTime\"") {
            error.message.push_str("; write an instant as 2026-11-20T10:00:00Z");
        }
        set(error, BAD_INPUT);
    }
    response
}

/// The parser draws the line and points at the place; the place is in the error already.
fn unparsed(mut error: ServerError) -> ServerError {
    if TOO_MUCH.iter().any(|text| error.message.starts_with(text)) {
        set(&mut error, "LIMIT_EXCEEDED");
        return error;
    }
    if let Some((_, expected)) = error.message.rsplit_once("= ") {
        let place = error.locations.first();
        let place =
            place.map_or_else(String::new, |at| format!(" at line {}, column {}", at.line, at.column));
        error.message = format!("the query is no GraphQL{place}: {}", expected.trim());
    }
    set(&mut error, SYNTAX);
    error
}

fn asks_for_the_schema(document: &ExecutableDocument) -> bool {
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    operations.chain(fragments).any(names_the_schema)
}

fn names_the_schema(set: &SelectionSet) -> bool {
    set.items.iter().any(|item| match &item.node {
        Selection::Field(field) => ["__schema", "__type"].contains(&field.node.name.node.as_str()),
        Selection::InlineFragment(fragment) => names_the_schema(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => false,
    })
}
