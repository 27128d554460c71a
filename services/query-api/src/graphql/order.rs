//! Keys of an answer in the order in which they were asked, as the specification wants it: async-graphql puts them in the
//! order in which they were found, so that one question would have other bytes each time.

use std::sync::{Arc, OnceLock};

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextParseQuery};
use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Response, ServerResult, Value, Variables};

/// Makes an [`Ordered`] for each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Orders;

/// The extension, of one request.
#[derive(Debug, Default)]
struct Ordered {
    document: OnceLock<ExecutableDocument>,
    /// Of the operation that runs; known once the document is found to be valid, so that it ends.
    order: OnceLock<Order>,
}

/// Keys of an object in the order of the question, each with those of what is below it.
#[derive(Debug, Default)]
struct Order(IndexMap<Name, Order>);

// === impl Orders ===

impl ExtensionFactory for Orders {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Ordered::default())
    }
}

// === impl Ordered ===

#[async_graphql::async_trait::async_trait]
impl Extension for Ordered {
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(ctx, query, variables).await?;
        self.document.get_or_init(|| document.clone());
        Ok(document)
    }

    /// Of a query once, of a stream for each event.
    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let mut response = next.run(ctx, operation_name).await;
        if let Some(document) = self.document.get() {
            let order = self.order.get_or_init(|| Order::of(document, operation_name));
            response.data = order.sorted(response.data);
        }
        response
    }
}

// === impl Order ===

impl Order {
    fn of(document: &ExecutableDocument, operation_name: Option<&str>) -> Self {
        let operation = match &document.operations {
            DocumentOperations::Single(operation) => Some(operation),
            DocumentOperations::Multiple(named) => operation_name.and_then(|name| named.get(name)),
        };
        let mut order = Self::default();
        if let Some(operation) = operation {
            order.add(document, &operation.node.selection_set.node);
        }
        order
    }

    fn add(&mut self, document: &ExecutableDocument, set: &SelectionSet) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.clone();
                    self.0.entry(key).or_default().add(document, &field.node.selection_set.node);
                }
                Selection::InlineFragment(fragment) => self.add(document, &fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                        self.add(document, &fragment.node.selection_set.node);
                    }
                }
            }
        }
    }

    fn sorted(&self, value: Value) -> Value {
        match value {
            Value::List(items) => Value::List(items.into_iter().map(|item| self.sorted(item)).collect()),
            Value::Object(mut values) if !self.0.is_empty() => {
                let known = self.0.iter().filter_map(|(key, below)| {
                    values.swap_remove(key).map(|value| (key.clone(), below.sorted(value)))
                });
                Value::Object(known.collect())
            }
            value => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_as_asked_through_fragments_lists_and_repeated_fields() {
        let query = "query A { x: a { p } ...f b a: c { ... { z } y } } query B { b } \
                     fragment f on Q { x: a { q p } d }";
        let document = async_graphql::parser::parse_query(query).unwrap();
        let found = r#"{"b":1,"a":[{"y":1,"z":2},null],"d":3,"x":{"q":4,"p":5}}"#;
        let found: Value = serde_json::from_str(found).unwrap();
        let sorted = Order::of(&document, Some("A")).sorted(found);
        let expected = r#"{"x":{"p":5,"q":4},"d":3,"b":1,"a":[{"z":2,"y":1},null]}"#;
        assert_eq!(serde_json::to_string(&sorted).unwrap(), expected);
    }
}
