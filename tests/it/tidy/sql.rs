//! SQL is in files and rows are structs: no column is read by its place, no statement is a string in code.

use super::source::{Token, code};
use super::{assert_none, files};

/// Statements that a string may still hold: the file, how they begin, and why.
const ALLOWED: [(&str, &str, &str); 2] = [
    ("services/timescale-sink/src/session.rs", "SET lock_timeout = ", "SET takes no parameters"),
    ("services/aggregator/src/claim.rs", "SET LOCAL lock_timeout = ", "SET takes no parameters"),
];

/// The first words of statements. Those that only begin or end a transaction say nothing of tables.
const VERBS: [&str; 14] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "MERGE", "COPY", "CREATE", "ALTER", "DROP", "TRUNCATE",
    "LOCK", "SET", "SHOW",
];

/// Source that ships, or measures what ships.
fn shipped() -> impl Iterator<Item = (String, Vec<Token>)> {
    let folders = ["crates/", "services/", "loadtest/", "tools/wattlinectl/"];
    let is_ours =
        move |path: &str| folders.iter().any(|folder| path.starts_with(folder)) && path.ends_with(".rs");
    let is_test =
        |path: &str| path.contains("/tests/") || path.ends_with("_tests.rs") || path.ends_with("/tests.rs");
    files().into_iter().filter(move |(path, _)| is_ours(path) && !is_test(path)).map(|(path, text)| {
        let tokens = code(&text);
        (path, tokens)
    })
}

#[test]
fn no_column_is_read_by_its_place() {
    let found: Vec<String> = shipped()
        .filter(|(_, tokens)| reads_rows(tokens))
        .flat_map(|(path, tokens)| places(&tokens).into_iter().map(move |place| format!("{path}: {place}")))
        .collect();
    assert_none("columns that are read by their place; `wattline_service::row!` reads them by name", &found);
}

#[test]
fn no_statement_is_a_string_in_code() {
    let mut found = Vec::new();
    let mut allowed = ALLOWED.to_vec();
    for (path, tokens) in shipped() {
        for text in statements(&tokens) {
            let known = allowed.iter().position(|(file, begin, _)| *file == path && text.starts_with(begin));
            match known {
                Some(index) => drop(allowed.remove(index)),
                None => found.push(format!("{path}: {}", text.chars().take(60).collect::<String>())),
            }
        }
    }
    assert_none("SQL as strings in code; it belongs into src/sql/*.sql", &found);
    let unused = allowed.iter().map(|(file, begin, _)| format!("{file}: {begin}"));
    assert_none("exceptions that nothing needs any more", &unused.collect::<Vec<_>>());
}

/// True where a file has rows in its hands.
fn reads_rows(tokens: &[Token]) -> bool {
    let words = ["tokio_postgres", "postgres", "query", "query_one", "query_opt", "query_raw"];
    tokens.iter().any(|token| matches!(token, Token::Word(word) if words.contains(&word.as_str())))
}

/// Calls of `get` or `try_get` with a number: `row.get(0)`, `row.get::<_, i64>(0)`.
fn places(tokens: &[Token]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Word(name) = token else { continue };
        if !matches!(name.as_str(), "get" | "try_get") {
            continue;
        }
        let mut next = at + 1;
        if tokens.get(next) == Some(&Token::Sign(':')) {
            let open = tokens[next..].iter().position(|token| *token == Token::Sign('('));
            next = open.map_or(tokens.len(), |open| next + open);
        }
        let arguments = (tokens.get(next), tokens.get(next + 1), tokens.get(next + 2));
        if let (Some(Token::Sign('(')), Some(Token::Word(word)), Some(Token::Sign(')'))) = arguments
            && word.bytes().all(|byte| byte.is_ascii_digit())
        {
            found.push(format!("{name}({word})"));
        }
    }
    found
}

/// Texts that begin like a statement.
fn statements(tokens: &[Token]) -> Vec<&str> {
    let texts = tokens.iter().filter_map(|token| match token {
        Token::Text(text) => Some(text.trim_start_matches(['\\', '\n', ' '])),
        _ => None,
    });
    texts
        .filter(|text| {
            text.split_once(char::is_whitespace)
                .is_some_and(|(verb, rest)| VERBS.contains(&verb) && !rest.trim().is_empty())
        })
        .collect()
}

#[test]
fn places_and_statements_are_found() {
    let text = r#"
        fn f(row: &Row, at: usize) {
            let (a, b): (i32, i64) = (row.get(0), row.try_get(12)?);
            let c = row.get::<_, Option<i64>>(3).map(|c| c + 1);
            let d = (row.get("name"), row.get(at), map.get(&0), bytes.get(0..2));
            let sql = "SELECT a FROM b";
            let more = "
                UPDATE b SET a = 1";
            say("SELECT", "selected 3", "a DELETE FROM b");
        }
    "#;
    let tokens = code(text);
    assert_eq!(places(&tokens), ["get(0)", "try_get(12)", "get(3)"]);
    assert_eq!(statements(&tokens), ["SELECT a FROM b", "UPDATE b SET a = 1"]);
}
