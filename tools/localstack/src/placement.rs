//! Where the database's folder can lie when root starts the stack: PostgreSQL then runs as a system user, who can't
//! reach a folder below, say, a home of mode 700. Then it lies in the cache, and the stack's folder has a link to it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Uid};
use tracing::info;

use crate::identity::{StackId, stack_id};
use crate::installation::{Installation, database_user};

const NAME: &str = "timescale";
/// In an outside folder: the stack's folder that links to it.
const BELONGS_TO: &str = "belongs-to";

/// Makes `DIR/timescale` a link to a folder in the cache, if the database's user can't reach `DIR`.
pub(crate) fn place_database(dir: &Path, id: &StackId, installation: &Installation) -> Result<()> {
    let Some((uid, gid)) = database_user()? else { return Ok(()) };
    let Some(closed) = impassable(dir, uid, gid) else { return Ok(()) };
    if let Some(cache_closed) = impassable(installation.cache(), uid, gid) {
        bail!(
            "the system user that runs PostgreSQL for root may pass neither {} nor {}: \
             name a folder elsewhere (--dir), or open one of them (chmod o+x)",
            closed.display(),
            cache_closed.display()
        );
    }
    let (outside, link) = (outside_folder(installation).join(id.as_str()), dir.join(NAME));
    fs::create_dir_all(outside.join(NAME)).with_context(|| format!("cannot create {}", outside.display()))?;
    fs::write(outside.join(BELONGS_TO), dir.as_os_str().as_encoded_bytes())?;
    symlink(outside.join(NAME), &link).with_context(|| format!("cannot link {}", link.display()))?;
    info!(
        "{} is closed to the database's user, so the database lies in {}",
        closed.display(),
        outside.display()
    );
    Ok(())
}

/// Removes the outside folders whose stack was deleted.
pub(crate) fn sweep(installation: &Installation) {
    let entries = fs::read_dir(outside_folder(installation)).into_iter().flatten().flatten();
    for entry in entries {
        // Without the note it is being made right now.
        let Ok(dir) = fs::read(entry.path().join(BELONGS_TO)) else { continue };
        let dir = PathBuf::from(OsString::from_vec(dir));
        if stack_id(&dir).is_some_and(|id| entry.file_name() == id.as_str()) {
            continue;
        }
        // Another stack's start may be at it too; what it leaves, the next one removes.
        match fs::remove_dir_all(entry.path()) {
            Ok(()) => info!("removed the database of the deleted stack {}", dir.display()),
            Err(error) => info!("the database of the deleted stack {} stays for now: {error}", dir.display()),
        }
    }
}

fn outside_folder(installation: &Installation) -> PathBuf {
    installation.cache().join("data")
}

/// The first parent of `path`, itself included, that a user may not pass through.
pub(crate) fn impassable(path: &Path, uid: Uid, gid: Gid) -> Option<PathBuf> {
    let mut parents: Vec<&Path> = path.ancestors().collect();
    parents.reverse();
    let closed = parents.into_iter().find(|parent| {
        let Ok(metadata) = fs::metadata(parent) else {
            return false;
        };
        let class = if metadata.uid() == uid.as_raw() {
            6
        } else if metadata.gid() == gid.as_raw() {
            3
        } else {
            0
        };
        (metadata.mode() >> class) & 1 == 0
    });
    closed.map(Path::to_owned)
}
