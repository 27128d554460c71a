//! Every query of the database, as Grafana would send it, run by its read-only role.

use std::collections::BTreeSet;
use std::fs;

use tokio_postgres::Client;
use wattline_dashboards::board::{self, Board, Target, text};
use wattline_dashboards::preview::Table;
use wattline_dashboards::{alerts, expand::View};

use crate::seeded::{connect, run};
use crate::view;

/// Hours of the ranges that are looked at.
const RANGES: [i64; 3] = [6, 24, 720];

fn expanded(view: &View, target: &Target<'_>, name: &str) -> Option<String> {
    let sql = target.sql()?;
    let least = target.panel["interval"].as_str();
    Some(view.of(target.panel).sql(sql, least).unwrap_or_else(|error| panic!("{name}: {error:#}")))
}

/// The panels' queries, for one range.
fn queries<'a>(boards: &'a [Board], view: &'a View) -> impl Iterator<Item = (String, Target<'a>, String)> {
    boards.iter().flat_map(move |board| {
        board.targets().filter_map(move |target| {
            let name = format!("{} over {} h", target.name(board), (view.to - view.from).num_hours());
            let sql = expanded(view, &target, &name)?;
            Some((name, target, sql))
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_query_reads_raw_readings_one_after_the_other_or_many_days_of_them() {
    let client = connect().await;
    let sql = "SELECT chunk_name FROM timescaledb_information.chunks WHERE hypertable_name = 'reading'";
    let (_, chunks) = run(&client, sql, "chunks").await;
    assert!(chunks.rows.len() >= 30, "{} days of raw readings", chunks.rows.len());
    // On a table this small the planner would scan it though it has an index for the purpose.
    client.batch_execute("SET enable_seqscan = off").await.unwrap();
    let boards = board::load().unwrap();
    for hours in RANGES {
        let view = view::last(hours, &["home-1", "home-2"]);
        for (name, _, sql) in queries(&boards, &view) {
            let (_, plan) = run(&client, &format!("EXPLAIN {sql}"), &name).await;
            let lines: Vec<_> = plan.rows.iter().map(|row| row[0].as_str()).collect();
            let of_readings =
                |line: &&&str| chunks.rows.iter().any(|chunk| line.contains(&format!(" {} ", chunk[0])));
            let touching: Vec<_> = lines.iter().filter(of_readings).collect();
            let plan = lines.join("\n");
            assert!(
                !touching.iter().any(|line| line.contains("Seq Scan")),
                "{name}: a sequential scan\n{plan}"
            );
            // Two chunks: 24 hours that begin within a day.
            assert!(touching.len() <= 2, "{name}: raw readings of {} days\n{plan}", touching.len());
        }
    }
}

/// Hours of a zone that begin at half past, and sums without a 17th digit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readme_s_sql_for_analysts_does_what_it_says() {
    let readme = fs::read_to_string(wattline_dashboards::root().join("README.md")).unwrap();
    let [hour, sum] = ["date_trunc('hour', bucket, 'Asia/Kolkata')", "round(sum(import_wh)::numeric, 3)"];
    for part in [hour, sum] {
        assert!(readme.contains(&format!("`{part}`")), "README.md says no {part}");
    }
    let minute = format!("extract(minute FROM {hour} AT TIME ZONE 'UTC')::integer");
    let sql =
        format!("SELECT {minute}, {sum}::text FROM energy_15m GROUP BY {hour} HAVING {sum} IS NOT NULL");
    let (_, table) = run(&connect().await, &sql, "README").await;
    assert!(table.rows.len() > 24, "{} hours", table.rows.len());
    for row in &table.rows {
        assert_eq!(row[0], "30", "{row:?}");
        assert!(row[1].split_once('.').is_none_or(|(_, decimals)| decimals.len() <= 3), "{row:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_gives_what_its_panel_draws() {
    let client = connect().await;
    let boards = board::load().unwrap();
    for hours in RANGES {
        let view = view::last(hours, &["home-1", "home-2"]);
        for (name, target, sql) in queries(&boards, &view) {
            let (types, table) = run(&client, &sql, &name).await;
            for column in overridden(target.panel) {
                assert!(
                    types.contains_key(column),
                    "{name}: an override for {column:?}, columns {:?}",
                    table.columns
                );
            }
            if !target.is_table() {
                let time = types.get("time").unwrap_or_else(|| panic!("{name}: no column time"));
                assert_eq!(time, "timestamptz", "{name}");
                let other = |kind: &str| {
                    matches!(kind, "text" | "int4" | "int8" | "float8" | "numeric" | "timestamptz")
                };
                assert!(types.values().all(|kind| other(kind)), "{name}: {types:?}");
                let place = table.columns.iter().position(|column| column == "time").unwrap();
                let times: Vec<_> = table.rows.iter().map(|row| &row[place]).collect();
                assert!(times.is_sorted(), "{name}: time is not ascending");
                assert!(times.iter().all(|time| !time.is_empty()), "{name}: a time that is null");
            }
            // In six hours there is no whole day, and nothing implausible.
            assert!(hours < 720 || !table.rows.is_empty(), "{name}: nothing from\n{sql}");
        }
    }
    for board in &boards {
        for variable in board.variables().iter().filter(|variable| text(variable, "type") == "query") {
            if variable["datasource"]["type"] == board::POSTGRES {
                let name = format!("{} › ${}", board.file, text(variable, "name"));
                let (_, table) = run(&client, text(variable, "query"), &name).await;
                assert!(table.rows.len() >= 3, "{name}: {:?}", table.rows);
            }
        }
    }
}

fn overridden(panel: &serde_json::Value) -> BTreeSet<&str> {
    let overrides = panel["fieldConfig"]["overrides"].as_array().into_iter().flatten();
    let by_name = overrides.filter(|set| set["matcher"]["id"] == "byName");
    by_name.map(|set| text(&set["matcher"], "options")).collect()
}

/// The sum of a column of a panel's result.
async fn sum(client: &Client, uid: &str, title: &str, column: &str, view: &View) -> f64 {
    let table = result(client, uid, title, view).await;
    let place = table
        .columns
        .iter()
        .position(|name| name == column)
        .unwrap_or_else(|| panic!("{title}: {:?}", table.columns));
    table.rows.iter().map(|row| row[place].parse::<f64>().unwrap_or(0.0)).sum()
}

async fn result(client: &Client, uid: &str, title: &str, view: &View) -> Table {
    let boards = board::load().unwrap();
    let board = boards.iter().find(|board| board.uid() == uid).unwrap();
    let target = board.targets().find(|target| text(target.panel, "title") == title);
    let target = target.unwrap_or_else(|| panic!("{uid} has no panel {title:?}"));
    run(client, &expanded(view, &target, title).unwrap(), title).await.1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn energy_is_what_a_hand_computes() {
    let client = connect().await;
    let (week, day) = (view::last(168, &["home-1"]), view::last(24, &["home-1"]));
    let both = view::last(168, &["home-1", "roof-1"]);
    // 50 Wh x (1 + 2 + 3 + 4) x 4 quarters x 6 = 12 kWh a day. From local midnight (23:00 UTC) to 11:59: the hours 23
    // and 0 to 11, 50 Wh x (4 + 3 x 10) x 4 = 6.8 kWh. The roof: 8 hours x 4 x 250 Wh = 8 kWh a day.
    for (uid, title, column, view, expected) in [
        ("wattline-home", "Import in the range", "import", &week, 84.0),
        ("wattline-home", "Import in the range", "import", &day, 12.0),
        ("wattline-home", "Import and export", "import", &week, 84.0),
        ("wattline-home", "Import and export", "export", &both, -56.0),
        ("wattline-home", "Import today", "import", &week, 6.8),
        ("wattline-home", "Cost of the import", "cost", &week, 25.2),
        ("wattline-home", "Day profile", "average import", &week, 12.0),
        ("wattline-home", "Known", "known", &week, 1.0),
        ("wattline-fleet", "Import in the range", "import", &day, 24.0),
        ("wattline-fleet", "Export in the range", "export", &day, 8.0),
        ("wattline-fleet", "Energy of all homes", "import", &day, 24.0),
        ("wattline-fleet", "Meters", "meters", &day, 5.0),
        ("wattline-fleet", "Reporting", "reporting", &day, 3.0),
        ("wattline-fleet", "Silent for an hour", "silent", &day, 2.0),
        ("wattline-quality", "Duplicates", "duplicates", &day, 50.0 / 1106.0),
        ("wattline-quality", "Open dead letters", "open", &day, 60.0),
        ("wattline-quality", "Conflicts in the range", "conflicts", &day, 5.0),
    ] {
        let found = sum(&client, uid, title, column, view).await;
        assert!((found - expected).abs() < 1e-6, "{uid} › {title} › {column}: {found}, expected {expected}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_day_has_its_own_length() {
    let client = connect().await;
    let days = result(&client, "wattline-home", "Local days", &view::last(720, &["home-1"])).await;
    let of = |day: &str| days.rows.iter().find(|row| row[0] == day).unwrap()[1].parse::<f64>().unwrap();
    assert!((of("2026-10-24") - 12.0).abs() < 1e-9, "{}", of("2026-10-24"));
    // Summer time ends: 25 hours, from 22:00 UTC to 23:00 UTC; the hour 22 counts twice, 50 Wh x 3 x 4.
    assert!((of("2026-10-25") - 12.6).abs() < 1e-9, "{}", of("2026-10-25"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_of_the_profile_is_whole_in_every_zone() {
    let client = connect().await;
    for zone in ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Adelaide"] {
        let mut view = view::last(720, &["home-1"]);
        view.values.insert("zone".to_owned(), vec![zone.to_owned()]);
        let profile = result(&client, "wattline-home", "Day profile", &view).await;
        assert_eq!(profile.rows.len(), 24, "{zone}");
        // 12 kWh a day in every zone but for the end of summer time, and the two hours that the range cuts.
        let day = sum(&client, "wattline-home", "Day profile", "average import", &view).await;
        assert!((day - 12.0).abs() < 0.05, "{zone}: {day} kWh a day");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bars_are_of_one_width_at_every_range() {
    let client = connect().await;
    for (uid, title) in [("wattline-home", "Import and export"), ("wattline-fleet", "Energy of all homes")] {
        for (hours, width, seconds) in [(72, "quarter-hour", 900), (72, "hour", 3600), (168, "hour", 3600)] {
            let mut view = view::last(hours, &["home-1"]);
            view.values.insert("width".to_owned(), vec![width.to_owned()]);
            let bars = result(&client, uid, title, &view).await;
            assert_eq!(bars.rows.len(), usize::try_from(hours * 3600 / seconds).unwrap(), "{title}: {width}");
        }
    }
    let mut view = view::last(720, &["home-1"]);
    view.values.insert("width".to_owned(), vec!["day".to_owned()]);
    let days = result(&client, "wattline-home", "Import and export", &view).await;
    let long = days.rows.iter().find(|row| row[0].starts_with("2026-10-24 22:00")).unwrap();
    assert!((long[1].parse::<f64>().unwrap() - 12.6).abs() < 1e-9, "the day of 25 hours: {long:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_of_several_homes_is_their_sum() {
    let client = connect().await;
    for hours in [6, 168] {
        let one = result(&client, "wattline-home", "Power", &view::last(hours, &["home-1"])).await;
        let two = result(&client, "wattline-home", "Power", &view::last(hours, &["home-1", "home-2"])).await;
        assert_eq!(one.columns, ["time", "average", "lowest", "highest"]);
        let numbers =
            |row: &[String]| row[1..].iter().map(|text| text.parse::<f64>().unwrap()).collect::<Vec<_>>();
        let mut both = 0;
        for row in &two.rows {
            let Some(own) = one.rows.iter().find(|own| own[0] == row[0]) else { continue };
            for (sum, own) in numbers(row).iter().zip(numbers(own)) {
                assert!((sum - 2.0 * own).abs() < 1e-6, "{hours} h, {}: {sum} of two, {own} of one", row[0]);
            }
            both += 1;
        }
        assert!(both > 100, "{both} points of {} and {}", one.rows.len(), two.rows.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grafanas_alerts_fire_for_the_meters_that_they_are_meant_for() {
    let client = connect().await;
    for rule in alerts::sql_rules().unwrap() {
        let mut view = view::last(24, &[]);
        view.from = view.to - chrono::TimeDelta::seconds(rule.from_s);
        let sql = view.sql(&rule.sql, None).unwrap();
        let (types, table) = run(&client, &sql, &rule.title).await;
        assert_eq!(
            (types["time"].as_str(), types["meter"].as_str()),
            ("timestamptz", "text"),
            "{}",
            rule.title
        );
        let (limit, expected): (f64, &[&str]) = match rule.title.as_str() {
            "MeterSilent" => (10_800.0, &["silent-1"]),
            _ => (0.0, &[]),
        };
        let fired: Vec<_> = table.rows.iter().filter(|row| row[2].parse::<f64>().unwrap() > limit).collect();
        assert_eq!(fired.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), expected, "{}", rule.title);
        // Two days earlier there is the impossible quarter-hour.
        view.from -= chrono::TimeDelta::days(1);
        let (_, table) = run(&client, &view.sql(&rule.sql, None).unwrap(), &rule.title).await;
        if rule.title == "EnergyImplausible" {
            assert_eq!(table.rows.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), ["home-2"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_can_only_read() {
    let client = connect().await;
    for statement in [
        "DELETE FROM reading",
        "CREATE TABLE a (b int)",
        "SET default_transaction_read_only = off; DELETE FROM meter",
    ] {
        assert!(client.batch_execute(statement).await.is_err(), "{statement}");
    }
    let timeout: String = client.query_one("SHOW statement_timeout", &[]).await.unwrap().get(0);
    assert_ne!(timeout, "0");
}
