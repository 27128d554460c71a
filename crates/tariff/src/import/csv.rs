//! `start,end,price`, one price a line.

use super::{Priced, Problem, Unit, checked, span, time};
use crate::refusal::Code;

/// The prices of a table whose first line names its columns; a line without a price says nothing.
pub(crate) fn csv(text: &str, unit: Unit, minutes: Option<i64>) -> Result<Vec<Priced>, Problem> {
    let mut lines =
        (1..).zip(text.trim_start_matches('\u{feff}').lines()).filter(|(_, line)| !line.trim().is_empty());
    let (_, header) = lines.next().ok_or(Problem { code: Code::NoData, row: 1 })?;
    let separator = [';', '\t'].into_iter().find(|sign| header.contains(*sign)).unwrap_or(',');
    let names: Vec<String> = cells(header, separator).map(str::to_lowercase).collect();
    let column = |name: &str| names.iter().position(|other| other == name);
    let missing = Problem { code: Code::ColumnMissing, row: 1 };
    let (start, price) = column("start").zip(column("price")).ok_or(missing)?;
    let end = column("end");
    if end.is_none() && minutes.is_none() {
        return Err(missing);
    }
    let mut rows = Vec::new();
    for (row, line) in lines {
        let cells: Vec<&str> = cells(line, separator).collect();
        let cell = |column: usize| cells.get(column).copied().unwrap_or_default();
        if cell(price).is_empty() {
            continue;
        }
        let priced = || {
            let end_us = end.map(|end| time(cell(end))).transpose()?;
            let (start, quarters) = span(time(cell(start))?, end_us, minutes)?;
            Ok(Priced { start, quarters, price: unit.price(cell(price))? })
        };
        rows.push((row, priced().map_err(|code| Problem { code, row })?));
    }
    checked(rows)
}

fn cells(line: &str, separator: char) -> impl Iterator<Item = &str> {
    line.split(separator).map(|cell| cell.trim().trim_matches('"').trim())
}
