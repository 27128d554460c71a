use std::io::Cursor;

use clap::Parser;
use serde_json::{Value, json};

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    arguments: Arguments,
}

/// Two hours of a home of 1 kWh each, with a price and a fee.
fn question() -> Value {
    json!({
        "zone": "Europe/Berlin", "range": ["2026-06-10T10:00:00Z", "2026-06-10T12:00:00Z"], "resolution": "1h",
        "meters": [{"id": "grid", "role": "grid", "runs": [
            {"from": "2026-06-10T10:00:00Z", "to": "2026-06-10T12:00:00Z", "import_mwh": [250_000]}]}],
        "tariffs": [{"id": "t", "kind": "supply", "currency": "EUR", "versions": [
            {"from": "2026-01-01", "vat": "20", "components": [
                {"id": "energy", "kind": "energy", "price": "0.25"},
                {"id": "fee, monthly", "kind": "standing", "price": "30", "per": "month"}]}]}],
        "agreements": [{"id": "home", "tariff": "t", "from": "2026-01-01"}],
    })
}

/// Standard output and exit code of a command with this input.
fn ask(input: &str, more: &[&str]) -> anyhow::Result<(String, ExitCode)> {
    let words = ["cost", "--input", "-"].iter().chain(more);
    let Command { arguments } = Command::try_parse_from(words)?;
    let mut out = Vec::new();
    let code = run(&arguments, Cursor::new(input), &mut out)?;
    Ok((String::from_utf8(out)?, code))
}

#[test]
fn an_input_is_answered_with_json() {
    let (out, code) = ask(&question().to_string(), &[]).unwrap();
    let answer: Value = serde_json::from_str(&out).unwrap();
    let sum = json!([{"currency": "EUR", "amount": "0.700000", "vat": "0.116667"}]);
    assert_eq!((&answer["total"]["amounts"], code), (&sum, ExitCode::SUCCESS));
    assert_eq!(answer["buckets"].as_array().unwrap().len(), 2);
    assert_eq!(answer["slots"], Value::Null);
}

#[test]
fn every_quarter_hour_is_taken_apart_on_request() {
    let (out, _) = ask(&question().to_string(), &["--explain"]).unwrap();
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["slots"].as_array().unwrap().len(), 8);
    assert_eq!(answer["slots"][7]["lines"][0]["portions"], json!([{"mwh": 250_000, "price": "0.25"}]));
}

#[test]
fn a_table_has_a_row_for_each_line_of_each_bucket() {
    let (out, _) = ask(&question().to_string(), &["--format", "csv"]).unwrap();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 5, "{out}");
    assert_eq!(lines[0], "start,end,agreement,version,component,band,currency,quantity_mwh,amount,vat,flags");
    let hour = "2026-06-10T10:00:00Z,2026-06-10T11:00:00Z,home,2026-01-01";
    assert_eq!(lines[1], format!("{hour},energy,,EUR,1000000,0.300000,0.050000,"));
    assert!(lines[2].starts_with(&format!("{hour},\"fee, monthly\",,EUR,,0.05")), "{out}");
}

#[test]
fn a_bill_can_be_checked_by_a_person() {
    let mut question = question();
    question["bills"] = json!(true);
    question["what_if"] = json!([{"id": "nothing", "agreements": []}]);
    let (out, _) = ask(&question.to_string(), &["--format", "text"]).unwrap();
    for said in [
        "Cost from 2026-06-10 12:00 to 2026-06-10 14:00 (Europe/Berlin)",
        "bought 2 kWh, sold unknown; 8 of 8 quarter-hours with energy, 8 with prices",
        "to pay 0.700000 EUR, VAT in it 0.116667",
        "Bill of home from 2026-06-01 to 2026-07-01, a part of it",
        "plus 20 % VAT of 0.58: 0.12",
        "total 0.70 EUR",
    ] {
        assert!(out.contains(said), "{said} in\n{out}");
    }
}

#[test]
fn what_is_refused_has_the_exit_code_of_bad_data_and_a_cure() {
    let mut wrong = question();
    wrong["tariffs"][0]["kind"] = json!("electric");
    let (out, code) = ask(&wrong.to_string(), &[]).unwrap();
    let errors: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&errors["errors"][0]["code"], code), (&json!("kind_unknown"), ExitCode::from(REFUSED)));
    assert_eq!(errors["errors"][0]["where"], "tariffs[0].kind");
    let (out, _) = ask(&wrong.to_string(), &["--format", "text"]).unwrap();
    assert!(out.starts_with("tariffs[0].kind: kind_unknown\n  tariffs are supply, grid,"), "{out}");
}

#[test]
fn a_file_is_read_and_one_that_is_not_there_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), question().to_string()).unwrap();
    let ask = |path: &str| {
        let arguments = Command::try_parse_from(["cost", "--input", path]).unwrap().arguments;
        let mut out = Vec::new();
        run(&arguments, std::io::empty(), &mut out).map(|_| out)
    };
    assert!(String::from_utf8(ask(file.path().to_str().unwrap()).unwrap()).unwrap().contains("0.700000"));
    let error = format!("{:#}", ask("/absent").unwrap_err());
    assert!(error.starts_with("cannot open /absent"), "{error}");
    assert!(Command::try_parse_from(["cost"]).is_err());
}
