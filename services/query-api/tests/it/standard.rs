//! Promise: what clients are told to ask is GraphQL by the specification, not only to our server: other tools read it
//! with their own eyes, and compare what ours doesn't, such as fields of one name in two types.

use std::path::Path;

use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use wattline_query_api::graphql;

/// Finds every problem that the specification sees.
fn problems(schema: &Valid<Schema>, text: &str, file: &str) -> Option<String> {
    ExecutableDocument::parse_and_validate(schema, text, file).err().map(|error| error.to_string())
}

fn schema() -> Valid<Schema> {
    Schema::parse_and_validate(graphql::sdl(), "schema.graphql").unwrap()
}

/// Text of a file of the repository.
fn read(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The queries of a script: its literals that begin as one, with the constants that they name put in.
fn queries_of_script(script: &str) -> Vec<String> {
    let literals = |mark: char| script.split(mark).skip(1).step_by(2);
    let constants: Vec<(String, &str)> = script
        .split("\nconst ")
        .skip(1)
        .filter_map(|rest| {
            let (name, rest) = rest.split_once(" = ")?;
            let mark = rest.chars().next().filter(|mark| "`\"".contains(*mark))?;
            Some((format!("${{{name}}}"), rest[1..].split_once(mark)?.0))
        })
        .collect();
    literals('`')
        .chain(literals('"'))
        .filter(|text| {
            ["query ", "subscription ", "mutation ", "{ "].iter().any(|word| text.starts_with(word))
        })
        .map(|text| constants.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value)))
        .collect()
}

#[test]
fn every_documented_query_is_valid() {
    let schema = schema();
    let text = read("docs/graphql.md");
    let examples = text.split("```graphql\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let problems: Vec<String> =
        examples.filter_map(|example| problems(&schema, example, "docs/graphql.md")).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_query_of_the_page_is_valid() {
    let schema = schema();
    let queries = queries_of_script(&read("services/query-api/page/api.js"));
    assert_eq!(queries.len(), 6, "meters, clock, meter, recent, energy, live: {queries:#?}");
    for query in queries {
        assert_eq!(problems(&schema, &query, "page/api.js"), None, "{query}");
    }
}

#[test]
fn every_live_event_can_be_asked_for_its_cursor() {
    let query = "subscription { meterReadings(meterId: 1) { cursor } }";
    assert_eq!(problems(&schema(), query, "query"), None);
}
