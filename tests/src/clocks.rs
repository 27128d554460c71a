//! The clock of day of each service, which a test moves; the clock that runs evenly stays.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use wattline_localstack::{Installation, ServiceKind};

/// A file for each service says how far its clock is ahead.
pub struct Clocks {
    library: PathBuf,
    folder: PathBuf,
}

// === impl Clocks ===

impl Clocks {
    /// Right ones.
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let clocks = Self { library: Installation::find()?.clock()?, folder: folder.to_owned() };
        clocks.heal()?;
        Ok(clocks)
    }

    /// For a process of a service.
    pub(crate) fn environment(&self, kind: ServiceKind) -> [(String, String); 4] {
        let text = |path: PathBuf| path.display().to_string();
        [
            ("LD_PRELOAD", text(self.library.clone())),
            ("FAKETIME_TIMESTAMP_FILE", text(self.file(kind))),
            // How long what the file says is kept, in s.
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// Moves the clock of a service's processes; back with a negative number.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn set(&self, kind: ServiceKind, ahead_s: i64) -> anyhow::Result<()> {
        let file = self.file(kind);
        // In one step: nobody reads half a number.
        let new = file.with_extension("new");
        fs::write(&new, format!("{ahead_s:+}\n"))
            .with_context(|| format!("cannot write {}", new.display()))?;
        fs::rename(&new, &file).with_context(|| format!("cannot write {}", file.display()))
    }

    /// All are right again.
    pub(crate) fn heal(&self) -> anyhow::Result<()> {
        ServiceKind::ALL.iter().try_for_each(|kind| self.set(*kind, 0))
    }

    fn file(&self, kind: ServiceKind) -> PathBuf {
        self.folder.join(format!("clock-of-{kind}"))
    }
}
