//! Kafka's MirrorMaker, which copies topics of one Kafka into another.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::installation::Installation;
use crate::ports::Port;
use crate::program::Program;
use crate::stack::Stack;

/// What the settings call the two Kafkas.
const SITE: &str = "site-a";
const CENTRAL: &str = "central";
/// Of what it keeps in a Kafka of one broker.
const KEPT: [&str; 3] = ["offset.storage", "config.storage", "status.storage"];

/// A running MirrorMaker, which ends with this value.
#[derive(Debug)]
pub struct Mirror {
    program: Program,
    /// Where those of one site would speak to each other.
    _listener: Port,
}

// === impl Mirror ===

impl Mirror {
    /// Starts the one of a site, which writes into `central`. `settings` are such as `docs/mirror-maker.properties` has:
    /// `site-a` becomes the site's name, and addresses and numbers of copies are those of here. Returns before it copies.
    pub fn start(site: &str, settings: &str, from: &Stack, central: &Stack) -> Result<Self> {
        ensure!(settings.contains(SITE) && settings.contains(CENTRAL), "no settings of a mirror: {settings}");
        let installation = Installation::find()?;
        installation.check_failover()?;
        let listener = Port::choose(None)?;
        let name = format!("mirror-{site}");
        let path = central.dir().join(format!("{name}.properties"));
        let mut lines = vec![
            settings.replace(SITE, site),
            // Of two lines for one key the later counts.
            format!("{site}.bootstrap.servers = {}", from.kafka_brokers()),
            format!("{CENTRAL}.bootstrap.servers = {}", central.kafka_brokers()),
            format!("listeners = http://{}", listener.address()),
        ];
        lines.extend(KEPT.map(|kept| format!("{kept}.replication.factor = 1")));
        fs::write(&path, lines.join("\n")).with_context(|| format!("cannot write {}", path.display()))?;
        let file = |name| installation.mirror(name).display().to_string();
        let launch = central
            .launch("java", &name)
            .args(["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args([format!("-Dlog4j2.configurationFile={}", file("log4j2.properties"))])
            .args(["-cp".into(), file("libs/*"), "org.apache.kafka.connect.mirror.MirrorMaker".into()])
            .args([path]);
        Ok(Self { program: Program::start(name, launch)?, _listener: listener })
    }

    /// The process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.program.pid()
    }

    /// The last lines of its log, for an error message.
    #[must_use]
    pub fn log_tail(&self, lines: usize) -> String {
        self.program.log_tail(lines)
    }

    /// `kill -9`.
    pub async fn kill(&self) -> Result<()> {
        self.program.kill().await
    }

    /// Starts it again after its end; does nothing while it runs. Returns before it copies.
    pub fn start_again(&self) -> Result<()> {
        self.program.start_again()
    }
}
