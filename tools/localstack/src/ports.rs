//! Free loopback ports that stay free while their server is down.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;

/// Below the range from which the kernel takes the local ports of outgoing connections: there, a client that dials a
/// stopped server over and over can get the server's own port, and even connect to itself.
const FIRST: u16 = 15_000;
const LAST: u16 = 29_999;

/// A port of 127.0.0.1, reserved among all stacks of this user for as long as the value lives: a server that is down
/// for a moment finds its port again.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// `None` for a port the user asked for by number: it is theirs to keep free.
    _lock: Option<Flock<File>>,
}

impl Port {
    /// A free port, `preferred` when that is free.
    pub fn choose(preferred: Option<u16>) -> Result<Self> {
        let span = LAST - FIRST + 1;
        let offset = rand::random_range(0..span);
        let any = (0..span).map(|step| FIRST + (offset + step) % span);
        for number in preferred.into_iter().chain(any) {
            if let Some(lock) = reserve(number)?
                && is_free(number)
            {
                return Ok(Self { number, _lock: Some(lock) });
            }
        }
        bail!("no free port between {FIRST} and {LAST} on 127.0.0.1")
    }

    /// The port that the user told for `what`.
    pub fn told(number: u16, what: &str) -> Result<Self> {
        if !is_free(number) {
            bail!(
                "port {number} of 127.0.0.1, told for {what}, is taken: end what listens there or name another"
            );
        }
        Ok(Self { number, _lock: None })
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// With the loopback address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number))
    }
}

/// Whether nothing listens on this loopback port.
#[must_use]
pub fn is_free(number: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
}

/// The lock of a port number, or `None` when another stack holds it. The kernel drops it with its process.
fn reserve(number: u16) -> Result<Option<Flock<File>>> {
    let folder = lock_folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join(number.to_string());
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Flock::lock(file, FlockArg::LockExclusiveNonblock).ok())
}

/// One per user: another user's files can't be locked.
fn lock_folder() -> PathBuf {
    std::env::temp_dir().join(format!("wattline-ports-{}", geteuid()))
}
