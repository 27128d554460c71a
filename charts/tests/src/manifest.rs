//! Manifests as helm prints them.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// The objects of a YAML stream; empty documents are left out.
///
/// # Errors
/// Where it is no YAML.
pub fn objects(text: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).context("the manifest is no YAML")?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}
