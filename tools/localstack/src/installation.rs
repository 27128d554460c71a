//! Where `scripts/install-debian.sh` put the servers.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Uid, User, geteuid};

/// Must equal KAFKA_PART of the script.
const KAFKA_PART: &str = "kafka-4.3.1-1";
/// Must equal SERVERS_PART of the script.
const SERVERS_PART: &str = "servers-trixie-2";
/// Must equal PROMETHEUS_PART of the script.
const PROMETHEUS_PART: &str = "prometheus-1";
/// Must equal ALERTMANAGER_PART of the script.
const ALERTMANAGER_PART: &str = "alertmanager-3";
/// Must equal FAILOVER_PART of the script.
const FAILOVER_PART: &str = "failover-trixie-1";
/// Must equal ARTEMIS_PART of the script.
const ARTEMIS_PART: &str = "artemis-2.44.0-1";
/// Must equal MIRROR_PART of the script.
const MIRROR_PART: &str = "mirror-4.3.1-1";
/// Must equal CLOCK_PART of the script.
const CLOCK_PART: &str = "clock-1";
/// Must equal STACK_USER of the script.
const STACK_USER: &str = "wattline";

const CURE: &str = "run scripts/install-debian.sh";

/// The installed servers.
#[derive(Debug, Clone)]
pub struct Installation {
    cache: PathBuf,
}

impl Installation {
    /// Finds them below `WATTLINE_CACHE`, by default `/var/cache/wattline` for root and `~/.cache/wattline` for others.
    pub fn find() -> Result<Self> {
        let cache = cache_folder()?;
        for part in [KAFKA_PART, SERVERS_PART] {
            let stamp = cache.join(part).join("complete");
            if !stamp.exists() {
                bail!("the servers are not installed ({} is missing): {CURE}", stamp.display());
            }
        }
        Ok(Self { cache })
    }

    /// The folder that holds everything installed; it outlives checkouts.
    #[must_use]
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// A file of the Kafka part, such as `log4j2.properties`, or `libs/*` for a class path.
    #[must_use]
    pub fn kafka(&self, name: &str) -> PathBuf {
        self.cache.join(KAFKA_PART).join(name)
    }

    /// The broker's executable.
    #[must_use]
    pub fn mosquitto(&self) -> PathBuf {
        self.servers_root().join("usr/sbin/mosquitto")
    }

    /// The tool that hashes the broker's passwords.
    pub(crate) fn mosquitto_passwd(&self) -> PathBuf {
        self.servers_root().join("usr/bin/mosquitto_passwd")
    }

    /// A program of PostgreSQL, such as `psql` or `pg_dump`.
    #[must_use]
    pub fn postgres(&self, program: &str) -> PathBuf {
        self.servers_root().join("usr/lib/postgresql/17/bin").join(program)
    }

    /// The exporter of PostgreSQL's metrics.
    #[must_use]
    pub fn postgres_exporter(&self) -> PathBuf {
        self.servers_root().join("usr/bin/prometheus-postgres-exporter")
    }

    /// The proxy that the charts put before a pair of brokers.
    #[must_use]
    pub fn haproxy(&self) -> PathBuf {
        self.servers_root().join("usr/sbin/haproxy")
    }

    /// A program of the Prometheus part, `prometheus` or `promtool`.
    #[must_use]
    pub fn prometheus(&self, program: &str) -> PathBuf {
        self.cache.join(PROMETHEUS_PART).join(program)
    }

    /// A program of the Alertmanager part, `amtool`.
    #[must_use]
    pub fn alertmanager(&self, program: &str) -> PathBuf {
        self.cache.join(ALERTMANAGER_PART).join(program)
    }

    /// An error where `scripts/install-debian.sh failover` has not run.
    pub(crate) fn check_failover(&self) -> Result<()> {
        for part in [FAILOVER_PART, ARTEMIS_PART, MIRROR_PART] {
            let stamp = self.cache.join(part).join("complete");
            if !stamp.exists() {
                bail!(
                    "what failovers need is not installed ({} is missing): {CURE} failover",
                    stamp.display()
                );
            }
        }
        Ok(())
    }

    /// Patroni's interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.failover_root().join("usr/bin/python3")
    }

    pub(crate) fn patroni(&self) -> PathBuf {
        self.failover_root().join("usr/bin/patroni")
    }

    pub(crate) fn etcd(&self) -> PathBuf {
        self.failover_root().join("usr/bin/etcd")
    }

    /// A file of the Artemis part.
    pub(crate) fn artemis(&self, name: &str) -> PathBuf {
        self.cache.join(ARTEMIS_PART).join(name)
    }

    /// A file of MirrorMaker's part.
    pub(crate) fn mirror(&self, name: &str) -> PathBuf {
        self.cache.join(MIRROR_PART).join(name)
    }

    /// The library that gives a program another time of day; an error where `scripts/install-debian.sh faults` has not run.
    pub fn clock(&self) -> Result<PathBuf> {
        let part = self.cache.join(CLOCK_PART);
        if !part.join("complete").exists() {
            bail!("the library for clocks is not installed (in {}): {CURE} faults", part.display());
        }
        Ok(part.join("libfaketimeMT.so.1"))
    }

    fn failover_root(&self) -> PathBuf {
        self.cache.join(FAILOVER_PART).join("root")
    }

    fn servers_root(&self) -> PathBuf {
        self.cache.join(SERVERS_PART).join("root")
    }
}

fn cache_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("WATTLINE_CACHE").filter(|value| !value.is_empty()) {
        return Ok(folder.into());
    }
    if geteuid().is_root() {
        return Ok("/var/cache/wattline".into());
    }
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("wattline"))
}

/// Who runs PostgreSQL, which refuses to be root: `None` = whoever we are.
pub(crate) fn database_user() -> Result<Option<(Uid, Gid)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let user = User::from_name(STACK_USER).context("cannot look up users")?;
    let user = user.with_context(|| format!("the system user '{STACK_USER}' is missing: {CURE}"))?;
    Ok(Some((user.uid, user.gid)))
}
