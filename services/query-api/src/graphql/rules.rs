//! Rules that a query must keep and that async-graphql doesn't check: a variable must fit where it stands (the library
//! has that rule and never calls it), and no text may hold a NUL, which PostgreSQL can't take.

use std::collections::HashSet;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::parser::{Pos, Positioned};
use async_graphql::registry::{MetaInputValue, MetaType, MetaTypeName, Registry};
use async_graphql::{Name, ServerError, Variables};
use async_graphql_value::{ConstValue, Value};

use crate::error::ApiError;

type Arguments = [(Positioned<Name>, Positioned<Value>)];

/// What is wrong with a query: in its text, or in the values of its variables.
pub(super) fn check(
    registry: &Registry,
    document: &ExecutableDocument,
    variables: &Variables,
) -> Result<(), ServerError> {
    for (name, value) in variables.iter() {
        if has_nul(&value.clone().into_value()) {
            return Err(nul(&format!("the variable ${name}")));
        }
    }
    for (_, operation) in document.operations.iter() {
        let operation = &operation.node;
        for definition in &operation.variable_definitions {
            let definition = &definition.node;
            if definition
                .default_value
                .as_ref()
                .is_some_and(|value| has_nul(&value.node.clone().into_value()))
            {
                return Err(nul(&format!("the default of the variable ${}", definition.name.node)));
            }
        }
        let mut walk = Walk { registry, document, operation, spread: HashSet::new() };
        let root = match operation.ty {
            OperationType::Query => Some(registry.query_type.as_str()),
            OperationType::Mutation => registry.mutation_type.as_deref(),
            OperationType::Subscription => registry.subscription_type.as_deref(),
        };
        walk.directives(&operation.directives)?;
        walk.selections(&operation.selection_set.node, root.and_then(|root| registry.types.get(root)))?;
    }
    Ok(())
}

/// One operation, with the fragments that it uses.
struct Walk<'a> {
    registry: &'a Registry,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    /// Fragments seen already; also what ends a circle of them, which is refused later.
    spread: HashSet<&'a str>,
}

// === impl Walk ===

impl<'a> Walk<'a> {
    fn selections(&mut self, set: &'a SelectionSet, parent: Option<&'a MetaType>) -> Result<(), ServerError> {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => self.field(&field.node, parent)?,
                Selection::InlineFragment(fragment) => {
                    let fragment = &fragment.node;
                    self.directives(&fragment.directives)?;
                    let condition = fragment.type_condition.as_ref().map(|on| on.node.on.node.as_str());
                    let parent = condition.map_or(parent, |name| self.registry.types.get(name));
                    self.selections(&fragment.selection_set.node, parent)?;
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.node.directives)?;
                    let name = spread.node.fragment_name.node.as_str();
                    if let Some(fragment) = self.document.fragments.get(name)
                        && self.spread.insert(name)
                    {
                        let on = fragment.node.type_condition.node.on.node.as_str();
                        let parent = self.registry.types.get(on);
                        self.selections(&fragment.node.selection_set.node, parent)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &'a Field, parent: Option<&'a MetaType>) -> Result<(), ServerError> {
        self.directives(&field.directives)?;
        let known = parent.and_then(|parent| parent.field_by_name(&field.name.node));
        let owner = format!("the field `{}`", field.name.node);
        self.arguments(&owner, &field.arguments, |name| known?.args.get(name))?;
        let inner = known.and_then(|known| self.registry.concrete_type_by_name(&known.ty));
        self.selections(&field.selection_set.node, inner)
    }

    fn directives(&self, directives: &[Positioned<Directive>]) -> Result<(), ServerError> {
        for directive in directives {
            let name = &directive.node.name.node;
            let known = self.registry.directives.get(name.as_str());
            let owner = format!("the directive `@{name}`");
            self.arguments(&owner, &directive.node.arguments, |name| known?.args.get(name))?;
        }
        Ok(())
    }

    fn arguments<'r>(
        &self,
        owner: &str,
        arguments: &Arguments,
        known: impl Fn(&str) -> Option<&'r MetaInputValue>,
    ) -> Result<(), ServerError> {
        for (name, value) in arguments {
            let place = format!("the argument `{}` of {owner}", name.node);
            if has_nul(&value.node) {
                return Err(nul(&place));
            }
            if let Some(known) = known(&name.node) {
                let place = Place { text: &place, position: value.pos };
                self.value(&place, &known.ty, known.default_value.is_some(), &value.node)?;
            }
        }
        Ok(())
    }

    /// Looks for variables in a value, and at what is expected where each stands.
    fn value(
        &self,
        place: &Place<'_>,
        expected: &str,
        has_default: bool,
        value: &Value,
    ) -> Result<(), ServerError> {
        match value {
            Value::Variable(name) => self.variable(place, expected, has_default, name),
            Value::List(items) => {
                let MetaTypeName::List(item) = MetaTypeName::create(expected).unwrap_non_null() else {
                    return Ok(());
                };
                items.iter().try_for_each(|value| self.value(place, item, false, value))
            }
            Value::Object(values) => {
                let known = self.registry.concrete_type_by_name(expected);
                let Some(MetaType::InputObject { input_fields, .. }) = known else { return Ok(()) };
                values.iter().try_for_each(|(name, value)| match input_fields.get(name.as_str()) {
                    Some(known) => self.value(place, &known.ty, known.default_value.is_some(), value),
                    None => Ok(()),
                })
            }
            _ => Ok(()),
        }
    }

    fn variable(
        &self,
        place: &Place<'_>,
        expected: &str,
        has_default: bool,
        name: &Name,
    ) -> Result<(), ServerError> {
        let definitions = &self.operation.variable_definitions;
        let Some(definition) = definitions.iter().find(|definition| definition.node.name.node == *name)
        else {
            return Ok(());
        };
        let own = definition.node.var_type.node.to_string();
        let own_default = definition.node.default_value.as_ref();
        let filled = has_default || own_default.is_some_and(|value| value.node != ConstValue::Null);
        let needed = if filled { expected.strip_suffix('!').unwrap_or(expected) } else { expected };
        if fits(&own, needed) {
            return Ok(());
        }
        let text = format!("the variable ${name} is of type {own}, but {} takes {expected}", place.text);
        Err(ServerError::new(text, Some(place.position)))
    }
}

/// Where in a query a value stands.
struct Place<'a> {
    text: &'a str,
    position: Pos,
}

/// Whether a variable of one type may stand where another is expected, as the specification says.
fn fits(own: &str, expected: &str) -> bool {
    if let Some(expected) = expected.strip_suffix('!') {
        return own.strip_suffix('!').is_some_and(|own| fits(own, expected));
    }
    let own = own.strip_suffix('!').unwrap_or(own);
    let item =
        |list: &'_ str| list.strip_prefix('[').and_then(|list| list.strip_suffix(']')).map(str::to_owned);
    match (item(own), item(expected)) {
        (Some(own), Some(expected)) => fits(&own, &expected),
        (None, None) => own == expected,
        _ => false,
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::List(items) => items.iter().any(has_nul),
        Value::Object(values) => values.values().any(has_nul),
        _ => false,
    }
}

fn nul(place: &str) -> ServerError {
    let text = format!("{place} has a text with the character U+0000, which no id and no text here has");
    ApiError::BadInput(text).into_server_error()
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_variable_fits_where_it_promises_as_much_as_is_expected() {
        for (own, expected, fit) in [
            ("ID!", "ID!", true),
            ("ID!", "ID", true),
            ("ID", "ID!", false),
            ("Int!", "ID!", false),
            ("String", "ID", false),
            ("[ID!]!", "[ID]", true),
            ("[ID]", "[ID!]", false),
            ("ID", "[ID]", false),
        ] {
            assert_eq!(fits(own, expected), fit, "{own} for {expected}");
        }
    }
}
