//! The file that tells tools where everything is.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

/// What `--json` writes.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) id: String,
    pub(crate) pid: u32,
    pub(crate) mqtt: String,
    /// Seconds from one save of the broker's queues to the next.
    pub(crate) broker_save_s: u32,
    /// By user of the broker.
    pub(crate) mqtt_password_files: BTreeMap<&'static str, PathBuf>,
    pub(crate) kafka: String,
    /// As the superuser.
    pub(crate) database: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) graphql: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) live_page: Option<String>,
    pub(crate) services: BTreeMap<&'static str, Vec<Service>>,
    pub(crate) servers: BTreeMap<String, Program>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) street: Option<Program>,
}

/// A replica of a service.
#[derive(Serialize)]
pub(crate) struct Service {
    /// `null` between its end and its next start.
    pub(crate) pid: Option<i32>,
    pub(crate) admin: String,
    pub(crate) log: PathBuf,
}

/// Any other process.
#[derive(Serialize)]
pub(crate) struct Program {
    pub(crate) pid: Option<i32>,
    pub(crate) log: PathBuf,
}

impl Report {
    /// Written aside and renamed: a reader sees a whole file or none.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".new");
        let aside = PathBuf::from(aside);
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(&aside, text).with_context(|| format!("cannot write {}", aside.display()))?;
        fs::rename(&aside, path).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Removes the file, if there is one: it is there exactly while the stack is up.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
