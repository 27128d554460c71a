//! Pictures of the dashboards, from the results of their queries: of a system that a simulated street has gone through; that of
//! troubles from rows that have every kind of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use chrono::DateTime;
use serde_json::Value;
use tokio_postgres::Client;
use wattline_dashboards::board::{self, Board, Target, text};
use wattline_dashboards::expand::View;
use wattline_dashboards::preview::{self, Data, Series, Table};

use crate::monitored::{Monitored, monitored};
use crate::seeded::{connect, run};
use crate::street::street;
use crate::view;

/// Where pictures are written, if anywhere.
const FOLDER: &str = "WATTLINE_PREVIEWS";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_dashboard_can_be_drawn() {
    let monitored = monitored().await;
    let (street, troubled) = (street(monitored).await, connect().await);
    let folder = std::env::var_os(FOLDER).map(PathBuf::from);
    for board in board::load().unwrap() {
        let hours = if board.uid() == "wattline-fleet" { 24 } else { 168 };
        // In a week of a street too little goes wrong.
        let (client, view) = if board.uid() == "wattline-quality" {
            (&troubled, view::last(hours, &["home-1", "roof-1"]))
        } else {
            (&street.client, street.last(hours, &["home-01", "home-02"]))
        };
        let mut data = Vec::new();
        for panel in board.panels() {
            data.push(results(monitored, client, &board, panel, &view).await);
        }
        let picture = preview::draw(&board, &data);
        assert!(picture.starts_with("<svg") && picture.contains("preview: "), "{}", board.file);
        assert!(!picture.contains("NaN"), "{}: a coordinate that is no number", board.file);
        if let Some(folder) = &folder {
            fs::write(folder.join(board.file.replace(".json", ".svg")), picture).unwrap();
        }
    }
}

async fn results(monitored: &Monitored, client: &Client, board: &Board, panel: &Value, view: &View) -> Data {
    let mut data = Data::default();
    for json in panel["targets"].as_array().into_iter().flatten() {
        let target = Target { panel, json };
        let name = target.name(board);
        if let Some(sql) = target.sql() {
            let sql = view.of(panel).sql(sql, panel["interval"].as_str()).unwrap();
            let (_, table) = run(client, &sql, &name).await;
            if target.is_table() { data.table = Some(table) } else { data.series.extend(series(&table)) }
        } else if let Some(query) = target.promql() {
            let query = view.variables(query, None).unwrap();
            if target.is_table() {
                data.table = Some(labels(&monitored.instant(&query).await.unwrap()));
            } else {
                let result = monitored.range(&query).await.unwrap();
                data.series.extend(lines(&result, text(json, "legendFormat")));
            }
        }
    }
    data
}

/// Rows over time: text columns name a series, the others are their values.
fn series(table: &Table) -> Vec<Series> {
    let mut series: Vec<Series> = Vec::new();
    let names: Vec<_> = table.columns.iter().enumerate().filter(|(_, column)| *column == "metric").collect();
    for row in &table.rows {
        let time = &row[table.columns.iter().position(|column| column == "time").unwrap()];
        let Ok(at) = DateTime::parse_from_str(time, "%Y-%m-%d %H:%M:%S%.f%#z") else { continue };
        let label = names.first().map(|(place, _)| row[*place].clone());
        for (column, cell) in table.columns.iter().zip(row) {
            let (false, Ok(value)) = (column == "time" || column == "metric", cell.parse()) else { continue };
            let name = label.clone().unwrap_or_else(|| column.clone());
            #[expect(clippy::cast_precision_loss, reason = "seconds")]
            let point = (at.timestamp() as f64, value);
            match series.iter_mut().find(|series| series.name == name) {
                Some(series) => series.points.push(point),
                None => series.push(Series { name, points: vec![point] }),
            }
        }
    }
    series
}

/// Prometheus' result, with legends.
fn lines(result: &Value, legend: &str) -> Vec<Series> {
    let one = |line: &Value| {
        let mut name = legend.to_owned();
        for (label, value) in line["metric"].as_object().into_iter().flatten() {
            name = name.replace(&format!("{{{{{label}}}}}"), value.as_str().unwrap_or_default());
        }
        let points = line["values"].as_array().into_iter().flatten().filter_map(|point| {
            let value: f64 = point[1].as_str()?.parse().ok()?;
            value.is_finite().then_some((point[0].as_f64()?, value))
        });
        Series { name, points: points.collect() }
    };
    result.as_array().into_iter().flatten().map(one).collect()
}

/// Labels as columns.
fn labels(result: &Value) -> Table {
    let mut table = Table::default();
    for line in result.as_array().into_iter().flatten() {
        let labels: BTreeMap<_, _> = line["metric"].as_object().into_iter().flatten().collect();
        table.columns = labels.keys().map(|label| (*label).clone()).chain(["processes".to_owned()]).collect();
        let cells = labels.values().map(|value| value.as_str().unwrap_or_default().to_owned());
        table.rows.push(cells.chain([line["value"][1].as_str().unwrap_or_default().to_owned()]).collect());
    }
    table
}
