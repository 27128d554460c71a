//! JSON of any shape: pointers say where the rows are, and what in them.

use super::{Priced, Problem, Unit, checked, span, time};
use crate::node::Node;
use crate::number::Decimal;
use crate::refusal::Code;

/// JSON pointers; those of a row are seen from the row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paths<'a> {
    pub(crate) rows: &'a str,
    pub(crate) start: &'a str,
    pub(crate) end: Option<&'a str>,
    pub(crate) price: &'a str,
}

/// How instants are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Time {
    Rfc3339,
    Seconds,
    Milliseconds,
}

/// The prices of all rows; a row whose price is null says nothing.
pub(crate) fn json(
    text: &str,
    paths: &Paths<'_>,
    times: Time,
    unit: Unit,
    minutes: Option<i64>,
) -> Result<Vec<Priced>, Problem> {
    let problem = |code, row| Problem { code, row };
    let root = Node::parse(text).map_err(|_| problem(Code::FormatUnknown, 0))?;
    let Some(Node::List(items)) = root.pointer(paths.rows) else { return Err(problem(Code::PathMissing, 0)) };
    let mut rows = Vec::new();
    for (row, item) in (1..).zip(items) {
        let priced = || {
            let find = |path: &str| item.pointer(path).ok_or(Code::PathMissing);
            let price = match find(paths.price)? {
                Node::Null => return Ok(None),
                node => unit.price(scalar(node).ok_or(Code::BadNumber)?)?,
            };
            let instant = |path: &str| instant_us(find(path)?, times);
            let end_us = paths.end.map(instant).transpose()?;
            let (start, quarters) = span(instant(paths.start)?, end_us, minutes)?;
            Ok(Some(Priced { start, quarters, price }))
        };
        rows.extend(priced().map_err(|code| problem(code, row))?.map(|priced| (row, priced)));
    }
    checked(rows)
}

fn scalar<'a>(node: &'a Node<'_>) -> Option<&'a str> {
    match node {
        Node::Text(text) => Some(text),
        Node::Number(text) => Some(text),
        _ => None,
    }
}

fn instant_us(node: &Node<'_>, times: Time) -> Result<i64, Code> {
    let text = scalar(node).ok_or(Code::BadTime)?;
    let scaled =
        |places| Decimal::parse(text).and_then(|number| number.scaled(places)).map_err(|_| Code::BadTime);
    match times {
        Time::Rfc3339 => time(text),
        Time::Seconds => scaled(6),
        Time::Milliseconds => scaled(3),
    }
}
