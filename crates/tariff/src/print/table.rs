//! Columns as wide as they must be.

/// Numbers stand to the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Lines with two spaces before and between cells.
pub(super) fn table(header: &[(&str, Side)], rows: &[Vec<String>]) -> String {
    let header_row: Vec<String> = header.iter().map(|(title, _)| (*title).to_owned()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&header_row).chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |row: &&Vec<String>| {
        let cells = row.iter().zip(header).zip(&widths).map(|((cell, (_, side)), width)| match side {
            Side::Left => format!("  {cell:<width$}"),
            Side::Right => format!("  {cell:>width$}"),
        });
        let line: String = cells.collect();
        format!("{}\n", line.trim_end())
    };
    all.iter().map(line).collect()
}
