//! Grafana's own JSON Schemas: of the dashboard, then of each panel type's options and custom field settings, which
//! the first leaves open.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::board::{Board, text};

/// The schemas of one Grafana version.
#[derive(Clone, Debug)]
pub struct Schemas {
    folder: PathBuf,
    units: BTreeSet<String>,
}

/// The variable that names the folder of schemas.
pub const FOLDER: &str = "WATTLINE_SCHEMAS";

/// Where the schemas are looked for: in the folder that `WATTLINE_SCHEMAS` names, else beside the checkout.
#[must_use]
pub fn folder() -> PathBuf {
    let told = env::var_os(FOLDER).map(PathBuf::from);
    let beside = || crate::root().join("..").join("shared").join("schemas");
    told.unwrap_or_else(beside).join("grafana")
}

// === impl Schemas ===

impl Schemas {
    /// The schemas; `None` where there are none.
    ///
    /// # Errors
    /// Where they are there and can't be read.
    pub fn find() -> Result<Option<Self>> {
        let folder = folder();
        if !folder.join("dashboard.jsonschema.json").exists() {
            return Ok(None);
        }
        let units = read(&folder, "units")?;
        let units = units["definitions"].as_object().into_iter().flat_map(serde_json::Map::values);
        let units = units.filter_map(|unit| unit["const"].as_str().map(ToOwned::to_owned)).collect();
        Ok(Some(Self { folder, units }))
    }

    /// What is wrong with a dashboard.
    ///
    /// # Errors
    /// Where a schema can't be read.
    pub fn findings(&self, board: &Board) -> Result<Vec<String>> {
        let schema = read(&self.folder, "dashboard")?;
        let mut findings = Vec::new();
        let errors = |schema: &Value, value: &Value, at: &str| -> Result<Vec<String>> {
            let validator = validator(schema)?;
            Ok(validator
                .iter_errors(value)
                .map(|error| format!("{}: {at}{}: {error}", board.file, error.instance_path()))
                .collect())
        };
        // Panels one by one below: a mistake in one would else only be "not valid under any of the given schemas".
        let mut frame = board.json.clone();
        frame["panels"] = json!([]);
        findings.extend(errors(&schema, &frame, "")?);
        for panel in board.panels() {
            let kind = text(panel, "type");
            let at = format!("{}: ", text(panel, "title"));
            let definition = if kind == "row" { "RowPanel" } else { "Panel" };
            findings.extend(errors(&part(&schema, definition), &without_override_values(panel), &at)?);
            if kind == "row" {
                continue;
            }
            let Ok(of_kind) = read(&self.folder, kind) else {
                findings.push(format!("{}: {at}{kind:?} is no panel type with a schema", board.file));
                continue;
            };
            findings.extend(errors(&part(&of_kind, "Options"), &panel["options"], &format!("{at}options"))?);
            let custom = &panel["fieldConfig"]["defaults"]["custom"];
            if of_kind["definitions"].get("FieldConfig").is_some() && !custom.is_null() {
                findings.extend(errors(&part(&of_kind, "FieldConfig"), custom, &format!("{at}custom"))?);
            }
            for unit in crate::rules::units(panel) {
                if !self.units.contains(unit) {
                    findings.push(format!("{}: {at}{unit:?} is no unit of Grafana", board.file));
                }
            }
        }
        Ok(findings)
    }
}

/// The schema wants objects where Grafana itself writes and reads any value: the name of a field, a unit.
fn without_override_values(panel: &Value) -> Value {
    let mut panel = panel.clone();
    let overrides = panel.pointer_mut("/fieldConfig/overrides").and_then(Value::as_array_mut);
    for set in overrides.into_iter().flatten() {
        set["matcher"]["options"] = json!({});
        for property in set["properties"].as_array_mut().into_iter().flatten() {
            property["value"] = json!({});
        }
    }
    panel
}

fn read(folder: &Path, name: &str) -> Result<Value> {
    let path = folder.join(format!("{name}.jsonschema.json"));
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))
}

/// A schema's definition as a schema of its own.
fn part(schema: &Value, definition: &str) -> Value {
    json!({
        "$schema": schema["$schema"],
        "$ref": format!("#/definitions/{definition}"),
        "definitions": schema["definitions"],
    })
}

fn validator(schema: &Value) -> Result<Validator> {
    jsonschema::validator_for(schema).map_err(|error| anyhow!("a schema that is none: {error}"))
}
