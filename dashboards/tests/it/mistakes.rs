//! Deliberate mistakes: each is found, with words that name it.

use serde_json::{Value, json};
use wattline_dashboards::board::{self, Board};
use wattline_dashboards::rules;
use wattline_dashboards::schema::Schemas;

/// The pipeline's dashboard with a change in its third panel.
fn changed(change: impl FnOnce(&mut Value)) -> Vec<Board> {
    let mut boards = board::load().unwrap();
    let pipeline = boards.iter_mut().find(|board| board.uid() == "wattline-pipeline").unwrap();
    change(&mut pipeline.json);
    boards
}

#[test]
fn mistakes_of_form_are_named() {
    type Change = fn(&mut Value);
    let mistakes: [(Change, &str); 10] = [
        (
            |board| drop(board["panels"][2]["fieldConfig"]["defaults"]["unit"].take()),
            "Unaccounted for: no unit",
        ),
        (
            |board| board["panels"][2]["description"] = json!("Lines."),
            "Unaccounted for: the description must state",
        ),
        (
            |board| board["panels"][2]["id"] = board["panels"][1]["id"].clone(),
            "Unaccounted for: the id 2 is missing or not its own",
        ),
        (
            |board| board["panels"][2]["gridPos"]["x"] = json!(0),
            "Unaccounted for: lies over \"Both equations\"",
        ),
        (|board| board["panels"][2]["gridPos"]["x"] = json!(20), "Unaccounted for: reaches to column 32"),
        (
            |board| board["panels"][2]["datasource"]["uid"] = json!("P1234"),
            "the data source \"P1234\" is not a variable",
        ),
        (
            |board| board["panels"][2]["targets"][0]["expr"] = json!("up{a=\"$cluster\"}"),
            "$cluster is used and not defined",
        ),
        (
            |board| board["links"][1]["url"] = json!("/d/wattline-gone"),
            "/d/wattline-gone, which is no dashboard",
        ),
        (|board| board["refresh"] = json!("5s"), "refresh is \"5s\""),
        (|board| board["uid"] = json!("wattline-fleet"), "both have the uid \"wattline-fleet\""),
    ];
    for (change, words) in mistakes {
        let findings = rules::findings(&changed(change)).join("\n");
        assert!(findings.contains(words), "{words:?} is not in:\n{findings}");
    }
}

#[test]
fn a_variable_that_sql_does_not_quote_is_named() {
    for reference in ["${zone:singlequote}", "${zone}", "$zone", "${zone:raw}", "[${zone:csv}]"] {
        let mut boards = board::load().unwrap();
        let home = boards.iter_mut().find(|board| board.uid() == "wattline-home").unwrap();
        let panels = home.json["panels"].as_array_mut().unwrap();
        let days = panels.iter_mut().find(|panel| panel["title"] == "Local days").unwrap();
        days["targets"][0]["rawSql"] = json!(format!("SELECT {reference} FROM energy_15m"));
        let findings = rules::findings(&boards).join("\n");
        assert!(
            findings.contains("Local days: $") && findings.contains("must be ${name:sqlstring}"),
            "{findings}"
        );
    }
}

#[test]
fn mistakes_that_only_a_schema_knows_are_named() {
    let Some(schemas) = Schemas::find().unwrap() else { return };
    type Change = fn(&mut Value);
    let mistakes: [(Change, &str); 4] = [
        (|board| board["panels"][2]["options"]["legnd"] = json!({}), "legnd"),
        (
            |board| board["panels"][2]["fieldConfig"]["defaults"]["unit"] = json!("furlongs"),
            "\"furlongs\" is no unit",
        ),
        (|board| board["panels"][2]["type"] = json!("piecharts"), "\"piecharts\" is no panel type"),
        (|board| board["__inputs"] = json!([]), "__inputs"),
    ];
    for (change, words) in mistakes {
        let boards = changed(change);
        let findings: Vec<_> = boards.iter().flat_map(|board| schemas.findings(board).unwrap()).collect();
        assert!(findings.join("\n").contains(words), "{words:?} is not in:\n{}", findings.join("\n"));
    }
}
