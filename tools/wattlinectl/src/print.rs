//! What commands print for people.

use std::io::Write;

use anyhow::Context;

/// What is wrong when printing fails.
pub(crate) const WRITE: &str = "cannot write the answer";

/// A table, with each column as wide as it must be.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>], out: &mut impl Write) -> anyhow::Result<()> {
    let header: Vec<String> = header.iter().map(|title| title.to_uppercase()).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&header).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end()).context(WRITE)?;
    }
    Ok(())
}
