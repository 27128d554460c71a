//! Where a stack lies.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::installation::{Installation, database_user};
use crate::placement::impassable;

/// The stack's folder. A temporary one is removed by a janitor: a shell that waits for the end of a pipe, which comes
/// when the value is dropped and also when this process is killed.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    janitor: Option<Child>,
}

/// Servers that are about to die still write, so it tries for a while.
const JANITOR: &str = r#"
read -r never
tries=0
while [ -e "$1" ] && [ "$tries" -lt 100 ]; do
  rm -rf -- "$1"
  tries=$((tries + 1))
  [ ! -e "$1" ] || sleep 0.2
done
"#;

impl Folder {
    /// The one that was asked for, which is kept, or a temporary one.
    pub(super) fn open(dir: Option<&Path>, installation: &Installation) -> Result<Self> {
        match dir {
            Some(dir) => Self::kept(dir),
            None => Self::temporary(installation),
        }
    }

    fn kept(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let path = fs::canonicalize(dir).with_context(|| format!("cannot find {}", dir.display()))?;
        Ok(Self { path, janitor: None })
    }

    fn temporary(installation: &Installation) -> Result<Self> {
        let mut parent = std::env::temp_dir();
        if let Some((uid, gid)) = database_user()?
            && impassable(&parent, uid, gid).is_some()
        {
            parent = installation.cache().join("tmp");
            fs::create_dir_all(&parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        let path = tempfile::Builder::new()
            .prefix("wattline-stack-")
            // The database's user must be able to pass.
            .permissions(fs::Permissions::from_mode(0o711))
            .tempdir_in(&parent)
            .with_context(|| format!("cannot create a folder in {}", parent.display()))?
            .keep();
        let janitor = Command::new("/bin/sh")
            .args(["-c", JANITOR, "sh"])
            .arg(&path)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start the shell that removes the temporary folder")?;
        Ok(Self { path, janitor: Some(janitor) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(mut janitor) = self.janitor.take() {
            drop(janitor.stdin.take());
            // Nothing can be done about a folder that doesn't go.
            let _ = janitor.wait();
        }
    }
}
