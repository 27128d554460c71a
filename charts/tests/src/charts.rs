//! A copy of the charts in which helm may unpack their dependencies.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde_json::Value;
use wattline_localstack::Installation;

use crate::manifest;
use crate::tool::Tool;

/// The chart that the others are parts of.
const UMBRELLA: &str = "wattline";
/// The release's name; the charts' documents use the same.
pub const RELEASE: &str = "wattline";

/// One of the three that the charts have values for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// For whoever develops.
    Dev,
    /// For what comes next.
    Staging,
    /// For customers.
    Prod,
}

/// The charts, ready to be installed or rendered.
#[derive(Clone, Debug)]
pub struct Charts {
    folder: PathBuf,
}

// === impl Environment ===

impl Environment {
    /// All three, in the order of a promotion.
    pub const ALL: [Self; 3] = [Self::Dev, Self::Staging, Self::Prod];

    /// Also its namespace, and the end of its values' file name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

// === impl Charts ===

impl Charts {
    /// Copies the charts that lie in `from` below `to`, and packs their dependencies.
    ///
    /// # Errors
    /// Where they can't be read, or helm refuses one.
    pub async fn copy(helm: &Tool, from: &Path, to: &Path) -> Result<Self> {
        let charts = Self { folder: to.to_owned() };
        let mut names = Vec::new();
        for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
            let entry = entry?;
            if entry.path().join("Chart.yaml").exists() {
                let name = entry.file_name().to_string_lossy().into_owned();
                copy_folder(&entry.path(), &to.join(&name))?;
                names.push(name);
            }
        }
        // The umbrella packs its parts as they are, so they come first.
        names.sort_by_key(|name| name == UMBRELLA);
        for name in names {
            let chart = to.join(name).display().to_string();
            helm.run(&["dependency", "build", &chart]).await?;
        }
        Ok(charts)
    }

    /// The chart that is installed.
    #[must_use]
    pub fn umbrella(&self) -> String {
        self.folder.join(UMBRELLA).display().to_string()
    }

    /// The values of an environment.
    #[must_use]
    pub fn values(&self, environment: Environment) -> String {
        self.folder.join(UMBRELLA).join(format!("values-{}.yaml", environment.name())).display().to_string()
    }

    /// The objects of an environment, hooks included, as `helm template` gives them.
    ///
    /// # Errors
    /// Where helm refuses.
    pub async fn render(&self, helm: &Tool, environment: Environment, more: &[&str]) -> Result<Vec<Value>> {
        let (chart, values) = (self.umbrella(), self.values(environment));
        let mut arguments =
            vec!["template", RELEASE, &chart, "--namespace", environment.name(), "--values", &values];
        arguments.extend(more);
        manifest::objects(&helm.run(&arguments).await?)
    }
}

/// The helm that `scripts/charts.sh install` put into the cache folder; its settings lie in `home`.
///
/// # Errors
/// Where it isn't there.
pub fn helm(home: &Path) -> Result<Tool> {
    let cache = Installation::find()?.cache().to_owned();
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(&cache)? {
        let folder = entry?.path();
        let is_tools =
            folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("chart-tools-"));
        if let Ok(stamp) = fs::metadata(folder.join("complete"))
            && is_tools
        {
            found.push((stamp.modified()?, folder.join("bin/helm")));
        }
    }
    // One folder for each recipe that was ever used: the newest one is today's.
    let (_, program) = found.into_iter().max().with_context(|| {
        format!(
            "helm is not installed ({} has no chart-tools): run scripts/charts.sh install",
            cache.display()
        )
    })?;
    Tool::new(&program, &[("HELM_CACHE_HOME", home), ("HELM_CONFIG_HOME", home), ("HELM_DATA_HOME", home)])
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
