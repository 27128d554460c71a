//! One row for each line of each bucket, for spreadsheets and for `COPY`.

use crate::answer::{Answer, Bucket, LineSum};

const HEADER: &str = "start,end,agreement,version,component,band,currency,quantity_mwh,amount,vat,flags\n";

pub(super) fn csv(answer: &Answer) -> String {
    let buckets =
        if answer.buckets.is_empty() { std::slice::from_ref(&answer.total) } else { &answer.buckets };
    let rows = buckets.iter().flat_map(|bucket| bucket.lines.iter().map(move |line| row(bucket, line)));
    std::iter::once(HEADER.to_owned()).chain(rows).collect()
}

fn row(bucket: &Bucket, line: &LineSum) -> String {
    let quantity = line.quantity_mwh.map(|mwh| mwh.to_string()).unwrap_or_default();
    let cells = [
        &bucket.start,
        &bucket.end,
        &line.name.agreement,
        &line.name.version,
        &line.name.component,
        line.name.band.as_ref().unwrap_or(&String::new()),
        &line.currency,
        &quantity,
        line.amount.as_ref().unwrap_or(&String::new()),
        line.vat.as_ref().unwrap_or(&String::new()),
        &line.flags.join(" "),
    ]
    .map(|cell| quoted(cell));
    cells.join(",") + "\n"
}

/// Names are the users' own: they may hold anything.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
