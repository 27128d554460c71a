//! The SQL files of a crate, checked against a migrated database.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use wattline_service::postgres::describe;

use crate::database;

/// Statements that are planned, and so can be explained. The server takes any other only word by word.
const PLANNED: [&str; 6] = ["select", "insert", "update", "delete", "with", "merge"];

/// The files below a crate's `src/sql`, one statement each.
#[derive(Clone, Debug)]
pub struct SqlFiles {
    source: PathBuf,
    files: PathBuf,
    placeholders: Vec<(String, String)>,
    session: String,
}

// === impl SqlFiles ===

impl SqlFiles {
    /// Those of the crate in this folder: `env!("CARGO_MANIFEST_DIR")` in its own tests.
    #[must_use]
    pub fn of(crate_folder: impl AsRef<Path>) -> Self {
        let source = crate_folder.as_ref().join("src");
        let files = source.join("sql");
        Self { source, files, placeholders: Vec::new(), session: String::new() }
    }

    /// Only those of this folder below `src/sql`.
    #[must_use]
    pub fn folder(mut self, name: &str) -> Self {
        self.files = self.files.join(name);
        self
    }

    /// The crate puts this text in place of a placeholder before it prepares a statement.
    #[must_use]
    pub fn with(mut self, placeholder: &str, text: &str) -> Self {
        self.placeholders.push((placeholder.to_owned(), text.to_owned()));
        self
    }

    /// What the crate does first on its connection: settings, temporary tables.
    #[must_use]
    pub fn after(mut self, sql: &str) -> Self {
        self.session = sql.to_owned();
        self
    }

    /// Prepares and plans every file as the role in `url`; nothing is executed. Answers how many there are.
    ///
    /// # Errors
    /// Every file that the server refuses, because a table, a column or a right is missing or the SQL is wrong, and every
    /// file that no `include_str!` of the crate names: each with its path and the reason.
    pub async fn check(&self, url: &str) -> Result<usize> {
        let session = database::connect(url).await?;
        session.client.batch_execute(&self.session).await.context("cannot prepare the session")?;
        let included = included(&self.source)?;
        let (mut count, mut wrong) = (0, Vec::new());
        for path in files(&self.files, "sql")? {
            count += 1;
            if !included.contains(&path) {
                wrong.push(format!("{}: no include_str! names it", path.display()));
            }
            let mut sql = read(&path)?;
            for (placeholder, text) in &self.placeholders {
                sql = sql.replace(placeholder, text);
            }
            // The rights are looked at when a plan is made ready to run, not when a statement is prepared.
            let explained = async {
                session.client.prepare(&sql).await?;
                if is_planned(&sql) {
                    session.client.batch_execute(&format!("EXPLAIN (GENERIC_PLAN) {sql}")).await?;
                }
                Ok(())
            };
            if let Err(error) = explained.await {
                wrong.push(format!("{}: {}", path.display(), describe(&error)));
            }
        }
        ensure!(wrong.is_empty(), "SQL files that are wrong:\n  {}", wrong.join("\n  "));
        ensure!(count > 0, "{} holds no .sql file", self.files.display());
        Ok(count)
    }
}

/// True where the first word behind the comments is one of a planned statement.
fn is_planned(sql: &str) -> bool {
    let line = sql.lines().map(str::trim_start).find(|line| !line.is_empty() && !line.starts_with("--"));
    let word = line.and_then(|line| line.split_whitespace().next()).unwrap_or_default();
    PLANNED.iter().any(|planned| word.eq_ignore_ascii_case(planned))
}

/// The files that `include_str!` names in a folder's Rust source.
fn included(source: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for path in files(source, "rs")? {
        let text = read(&path)?;
        let folder = path.parent().unwrap_or(source);
        let names = text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
        found.extend(names.filter_map(|name| folder.join(name).canonicalize().ok()));
    }
    Ok(found)
}

/// The files with this extension below a folder, in order.
fn files(folder: &Path, extension: &str) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let explain = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(explain)? {
        let path = entry.with_context(explain)?.path();
        if path.is_dir() {
            found.extend(files(&path, extension)?);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.insert(path.canonicalize().with_context(explain)?);
        }
    }
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
