//! Logical backups of a system's database, by the script that operators run.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use wattline_localstack::Installation;

use crate::system::System;

/// Dumps the database while it runs, in place of the dump before.
///
/// # Errors
/// What the script says.
pub async fn dump(system: &System) -> anyhow::Result<()> {
    run(system, "dump").await
}

/// Puts the dump in the place of the database while the services run.
///
/// # Errors
/// What the script says.
pub async fn restore(system: &System) -> anyhow::Result<()> {
    run(system, "restore").await
}

async fn run(system: &System, what: &'static str) -> anyhow::Result<()> {
    let programs = Installation::find()?.postgres("psql");
    let programs = programs.parent().context("psql is in no folder")?.display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/backup.sh"));
    command
        .arg(what)
        .arg(system.stack.dir().join("wattline.dump"))
        .env("PATH", format!("{programs}:{path}"))
        .env("WATTLINE__DATABASE__URL", system.stack.database_url());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "scripts/backup.sh {what}: {said}");
    Ok(())
}
