//! Numbers and tables.

use serde_json::Value;

use super::format::quantity;
use super::svg::Canvas;
use super::{Area, Data, colour, unit};

const FAINT: &str = "#7b8087";
const PLAIN: &str = "#ccccdc";

/// The last value of each series, or the first row of a table.
fn last_values(data: &Data) -> Vec<(String, f64)> {
    let of_series =
        data.series.iter().filter_map(|series| Some((series.name.clone(), series.points.last()?.1)));
    let of_table = data.table.iter().flat_map(|table| {
        let cells = table.columns.iter().zip(table.rows.first().into_iter().flatten());
        cells.filter_map(|(column, cell)| Some((column.clone(), cell.parse().ok()?)))
    });
    of_series.chain(of_table).collect()
}

/// Big numbers.
pub(super) fn stat(canvas: &mut Canvas, area: Area, panel: &Value, data: &Data) {
    let values = last_values(data);
    if values.is_empty() {
        nothing(canvas, area);
        return;
    }
    #[expect(clippy::cast_precision_loss, reason = "a few values")]
    let width = area.width / values.len() as f64;
    let mut x = area.x + width / 2.0;
    for (name, value) in &values {
        let text = mapped(panel, *value).unwrap_or_else(|| quantity(*value, unit(panel, name)));
        #[expect(clippy::cast_precision_loss, reason = "a few letters")]
        let size = (width * 1.45 / text.chars().count() as f64).min(area.height * 0.45).min(34.0);
        let y = area.y + area.height * 0.5 + size * 0.25;
        canvas.text_middle((x, y), size, colour(panel, name, *value), &text);
        if values.len() > 1 {
            canvas.text_middle((x, area.y + area.height - 6.0), 11.0, FAINT, name);
        }
        x += width;
    }
}

fn mapped(panel: &Value, value: f64) -> Option<String> {
    let mapping = panel["fieldConfig"]["defaults"]["mappings"].get(0)?;
    Some(mapping["options"][value.to_string()]["text"].as_str()?.to_owned())
}

/// A bar each.
pub(super) fn bargauge(canvas: &mut Canvas, area: Area, panel: &Value, data: &Data) {
    let values = last_values(data);
    let most = values.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    #[expect(clippy::cast_precision_loss, reason = "a few values")]
    let height = area.height / values.len().max(1) as f64;
    let (names, figures) = (area.width * 0.36, area.width * 0.16);
    let whole = area.width - names - figures;
    let mut y = area.y;
    for (name, value) in &values {
        let paint = colour(panel, name, *value);
        canvas.text((area.x, y + height * 0.68), 12.0, PLAIN, name);
        canvas.rect((area.x + names, y + 3.0), (whole, height - 6.0), "#22252b", "none");
        canvas.rect(
            (area.x + names, y + 3.0),
            (whole * (value / most).clamp(0.0, 1.0), height - 6.0),
            paint,
            "none",
        );
        canvas.text_end(
            (area.x + area.width, y + height * 0.68),
            13.0,
            paint,
            &quantity(*value, unit(panel, name)),
        );
        y += height;
    }
}

/// Rows and columns.
pub(super) fn table(canvas: &mut Canvas, area: Area, panel: &Value, data: &Data) {
    let Some(table) = data.table.as_ref().filter(|table| !table.rows.is_empty()) else {
        nothing(canvas, area);
        return;
    };
    // A column is as wide as its longest text, at most 42 letters.
    let written: Vec<Vec<String>> = table
        .rows
        .iter()
        .map(|row| {
            row.iter().zip(&table.columns).map(|(cell, column)| written(panel, column, cell)).collect()
        })
        .collect();
    let widths: Vec<f64> = table
        .columns
        .iter()
        .enumerate()
        .map(|(place, column)| {
            let cells = written.iter().map(|row| row[place].chars().count());
            f64::from(
                u32::try_from(cells.max().unwrap_or(0).max(column.chars().count()).min(42)).unwrap_or(42),
            ) + 2.0
        })
        .collect();
    let step = area.width / widths.iter().sum::<f64>();
    let size = (step / 0.62).min(12.0);
    let lines = std::iter::once((&table.columns, FAINT)).chain(written.iter().map(|row| (row, PLAIN)));
    let mut y = area.y + 14.0;
    for (cells, paint) in lines {
        if y > area.y + area.height {
            break;
        }
        let mut x = area.x;
        for (cell, width) in cells.iter().zip(&widths) {
            let cut: String = cell.chars().take(42).collect();
            canvas.text((x, y), size, paint, &cut);
            x += width * step;
        }
        y += 20.0;
    }
}

fn written(panel: &Value, column: &str, cell: &str) -> String {
    match (cell.parse::<f64>(), unit(panel, column)) {
        (Ok(value), unit) if unit != "string" => quantity(value, unit),
        _ => cell.to_owned(),
    }
}

pub(super) fn nothing(canvas: &mut Canvas, area: Area) {
    let middle = (area.x + area.width / 2.0, area.y + area.height / 2.0);
    canvas.text_middle(middle, 12.0, FAINT, "No data");
}
