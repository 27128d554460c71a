//! Pictures of dashboards for people, drawn from query results. They are not Grafana's, and say so.

mod chart;
mod format;
mod svg;
mod tiles;

use serde_json::Value;

use crate::board::{Board, text};
use svg::Canvas;

pub use format::quantity;

/// What a panel's queries gave.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Lines over time.
    pub series: Vec<Series>,
    /// Columns and rows, where the panel shows a table or bars of it.
    pub table: Option<Table>,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Seconds since 1970 and value, by time.
    pub points: Vec<(f64, f64)>,
}

/// Rows of text.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Values; an empty text is a null.
    pub rows: Vec<Vec<String>>,
}

const COLUMN_PX: f64 = 50.0;
const ROW_PX: f64 = 30.0;
const HEADER_PX: f64 = 46.0;
const GAP_PX: f64 = 4.0;

/// A place for a panel, in pixels.
#[derive(Clone, Copy, Debug)]
struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// The dashboard as SVG. `data` has one element a panel, in their order.
#[must_use]
pub fn draw(board: &Board, data: &[Data]) -> String {
    let side = |panel: &Value, key: &str| panel["gridPos"][key].as_f64().unwrap_or_default();
    let rows = board.panels().iter().map(|panel| side(panel, "y") + side(panel, "h")).fold(0.0, f64::max);
    let (width, height) = (24.0 * COLUMN_PX + 2.0 * GAP_PX, HEADER_PX + rows * ROW_PX + GAP_PX);
    let mut canvas = Canvas::new(width, height);
    canvas.text((12.0, 29.0), 18.0, "#d8d9da", text(&board.json, "title"));
    canvas.text_end(
        (width - 12.0, 29.0),
        12.0,
        "#ff9830",
        "preview: drawn from test data by Wattline's tests, not by Grafana",
    );
    for (panel, data) in board.panels().iter().zip(data) {
        let area = Area {
            x: GAP_PX + side(panel, "x") * COLUMN_PX,
            y: HEADER_PX + side(panel, "y") * ROW_PX,
            width: side(panel, "w") * COLUMN_PX - GAP_PX,
            height: side(panel, "h") * ROW_PX - GAP_PX,
        };
        if text(panel, "type") == "row" {
            canvas.text(
                (area.x + 6.0, area.y + 20.0),
                14.0,
                "#9fa7b3",
                &format!("⌄ {}", text(panel, "title")),
            );
            continue;
        }
        canvas.rect((area.x, area.y), (area.width, area.height), "#181b1f", "#2c3235");
        canvas.text((area.x + 8.0, area.y + 18.0), 12.0, "#d8d9da", text(panel, "title"));
        let inner =
            Area { x: area.x + 8.0, y: area.y + 26.0, width: area.width - 16.0, height: area.height - 32.0 };
        match text(panel, "type") {
            "timeseries" => chart::over_time(&mut canvas, inner, panel, data),
            "barchart" => chart::bars(&mut canvas, inner, panel, data),
            "stat" => tiles::stat(&mut canvas, inner, panel, data),
            "bargauge" => tiles::bargauge(&mut canvas, inner, panel, data),
            _ => tiles::table(&mut canvas, inner, panel, data),
        }
    }
    canvas.finish()
}

/// The unit of a field: an override by name or pattern, else the panel's.
fn unit<'a>(panel: &'a Value, field: &str) -> &'a str {
    property(panel, field, "unit")
        .and_then(Value::as_str)
        .unwrap_or_else(|| text(&panel["fieldConfig"]["defaults"], "unit"))
}

fn property<'a>(panel: &'a Value, field: &str, id: &str) -> Option<&'a Value> {
    let overrides = panel["fieldConfig"]["overrides"].as_array()?;
    let of_field = overrides.iter().filter(|set| {
        let options = text(&set["matcher"], "options");
        match text(&set["matcher"], "id") {
            "byName" => options == field,
            // The patterns here are alternatives of endings.
            _ => options
                .trim_start_matches(".*")
                .trim_matches(['(', ')'])
                .split('|')
                .any(|end| field.ends_with(end)),
        }
    });
    let properties = of_field.flat_map(|set| set["properties"].as_array().into_iter().flatten());
    properties.filter(|property| property["id"] == id).map(|property| &property["value"]).next()
}

/// The colour that the thresholds give a value.
fn colour(panel: &Value, field: &str, value: f64) -> &'static str {
    let thresholds =
        property(panel, field, "thresholds").unwrap_or(&panel["fieldConfig"]["defaults"]["thresholds"]);
    let mut steps = thresholds["steps"].as_array().into_iter().flatten();
    let reached = steps.rfind(|step| step["value"].as_f64().is_none_or(|from| value >= from));
    match reached.map(|step| text(step, "color")) {
        Some("red") => "#f2495c",
        Some("orange") => "#ff9830",
        _ => "#73bf69",
    }
}
