//! What can be said about dashboards, alert rules and the list of metrics without a Grafana server: rules of form,
//! the macros and variables of Grafana expanded, metric names in PromQL, and pictures drawn from query results.
//!
//! The checks themselves are in `it`, against the real database and the real `/metrics`.

pub mod alerts;
pub mod board;
pub mod expand;
pub mod exporters;
pub mod exposition;
pub mod preview;
pub mod promql;
pub mod rules;
pub mod schema;
pub mod telemetry;

use std::path::{Path, PathBuf};

/// The root of the tree.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
