//! Apache Artemis as a pair of which one is in charge, and HAProxy that leads clients to it: with the files that
//! `charts/mqtt` renders for the provider `artemis`, in which only addresses and folders are those of here.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use tokio::net::TcpStream;

use crate::installation::Installation;
use crate::mosquitto::{new_password, password_file, write_private};
use crate::options::{ServerKind, StackOptions};
use crate::process::Launch;
use crate::software::{Answer, Planned, Role, Site, Software};

/// Primary and backup.
const BROKERS: [&str; 2] = ["artemis-0", "artemis-1"];
/// Of a broker's listener for the other one, and of the proxy's for Prometheus.
const PAIR: &str = "-pair";
const METRICS: &str = "-metrics";

/// As the chart's container adds them.
const USERS: [&str; 3] = ["ingest", "meters", "observer"];
/// What a container finds in the image and in its volumes.
const FOLDER_IN_CONTAINER: &str = "/var/lib/artemis/data";
/// These two are what `artemis create --no-web` makes, as far as it matters here.
const BOOTSTRAP: &str = "<broker xmlns=\"http://activemq.apache.org/schema\">
  <jaas-security domain=\"activemq\"/>
  <server configuration=\"file:{FOLDER}/etc/broker.xml\"/>
</broker>
";
const MANAGEMENT: &str = "<management-context xmlns=\"http://activemq.apache.org/schema\"/>\n";
/// Lines of the broker's log: it begins to be a backup, and is a full copy.
const BEGINS: &str = "AMQ221000";
const IS_COPY: &str = "AMQ221024";

/// One broker.
#[derive(Debug, Clone)]
struct Artemis {
    /// 0 is the primary, 1 the backup.
    ordinal: usize,
    folder: PathBuf,
    /// Open while it is in charge.
    address: SocketAddr,
    /// For the pair itself, by ordinal.
    pair: [SocketAddr; 2],
    /// Where the passwords are: the primary's folder.
    passwords: PathBuf,
    /// The chart's files.
    files: PathBuf,
    log_file: PathBuf,
    installation: Installation,
}

/// Leads to whichever broker is in charge.
#[derive(Debug, Clone)]
struct Haproxy {
    folder: PathBuf,
    address: SocketAddr,
    /// For Prometheus.
    metrics: SocketAddr,
    /// Of the brokers' MQTT, by ordinal.
    brokers: [SocketAddr; 2],
    /// Where the passwords are: the primary's folder.
    passwords: PathBuf,
    /// The chart's files.
    files: PathBuf,
    installation: Installation,
}

/// The pair and its proxy.
pub(crate) fn planned(_: &StackOptions) -> Vec<Planned> {
    let broker = |number: u16| Planned {
        number,
        listeners: &["", PAIR],
        is_for_failover: true,
        ..Planned::new(ServerKind::Artemis, BROKERS[usize::from(number)], build)
    };
    let proxy = Planned::new(ServerKind::Artemis, "haproxy", build_haproxy);
    let proxy = Planned { listeners: &["", METRICS], is_for_failover: true, ..proxy };
    vec![broker(0), broker(1), proxy]
}

fn build(site: &Site<'_>) -> Result<Box<dyn Software>> {
    Ok(Box::new(Artemis {
        ordinal: usize::from(site.number),
        folder: site.folder.clone(),
        address: site.address(""),
        pair: BROKERS.map(|name| site.address_of(&format!("{name}{PAIR}"))),
        passwords: site.dir.join(BROKERS[0]),
        files: site.options.artemis_files.clone(),
        log_file: site.log_file(),
        installation: site.installation.clone(),
    }))
}

fn build_haproxy(site: &Site<'_>) -> Result<Box<dyn Software>> {
    Ok(Box::new(Haproxy {
        folder: site.folder.clone(),
        address: site.address(""),
        metrics: site.address(METRICS),
        brokers: BROKERS.map(|name| site.address_of(name)),
        passwords: site.dir.join(BROKERS[0]),
        files: site.options.artemis_files.clone(),
        installation: site.installation.clone(),
    }))
}

// === impl Artemis ===

impl Artemis {
    fn localized(&self, text: &str) -> Result<String> {
        let [first, second] = self.pair.map(|address| format!("tcp://{address}"));
        let text = replaced(text, FOLDER_IN_CONTAINER, &self.folder.join("data").display().to_string())?;
        let text = replaced(&text, "0.0.0.0:61616", &self.pair[self.ordinal].to_string())?;
        let text = replaced(&text, "0.0.0.0:11883", &self.address.to_string())?;
        let text = between(&text, "<connector name=\"node-0\">", "</connector>", &first)?;
        between(&text, "<connector name=\"node-1\">", "</connector>", &second)
    }

    fn password(&self, user: &str) -> Result<String> {
        read(&password_file(&self.passwords, user))
    }

    fn etc(&self) -> PathBuf {
        self.folder.join("etc")
    }
}

impl Software for Artemis {
    /// Clients come by the proxy.
    fn role(&self) -> Role {
        Role::Inner
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    /// The passwords, once for the pair.
    fn make(&self) -> Result<()> {
        fs::create_dir_all(self.etc()).with_context(|| format!("cannot create {}", self.etc().display()))?;
        if self.ordinal == 0 {
            for user in USERS.into_iter().chain(["cluster"]) {
                write_private(&password_file(&self.passwords, user), &new_password())?;
            }
        }
        Ok(())
    }

    /// Writes the configuration for today's ports.
    fn configure(&self) -> Result<()> {
        let etc = self.etc();
        let mut users = String::new();
        for user in USERS {
            writeln!(users, "{user} = {}", self.password(user)?)?;
        }
        let broker = format!("broker-{}.xml", self.ordinal);
        let broker = self.localized(&read(&self.files.join(broker))?)?;
        write_private(&etc.join("broker.xml"), &broker)?;
        for name in ["login.config", "artemis-roles.properties"] {
            write_private(&etc.join(name), &read(&self.files.join(name))?)?;
        }
        let bootstrap = BOOTSTRAP.replace("{FOLDER}", &self.folder.display().to_string());
        write_private(&etc.join("bootstrap.xml"), &bootstrap)?;
        write_private(&etc.join("management.xml"), MANAGEMENT)?;
        write_private(&etc.join("artemis-users.properties"), &users)
    }

    fn launch(&self, log_file: PathBuf) -> Result<Launch> {
        let log_settings = self.installation.artemis("log4j2.properties");
        let (folder, etc) = (self.folder.display(), self.etc());
        let mut launch = Launch::new("java", log_file)
            .args(["-Xms384m", "-Xmx384m", "-XX:+UseSerialGC"])
            .args([
                format!("-Dlog4j2.configurationFile={}", log_settings.display()),
                format!("-Djava.security.auth.login.config={}/login.config", etc.display()),
                format!("-Dartemis.home={folder}"),
                format!("-Dartemis.instance={folder}"),
                format!("-Dartemis.instance.etc={}", etc.display()),
                format!("-Dcluster.password={}", self.password("cluster")?),
            ])
            .args(["-cp".into(), self.installation.artemis("libs/*")])
            .args(["org.apache.activemq.artemis.cli.Artemis", "run"]);
        launch.signal_on_orphaned = Signal::SIGKILL;
        Ok(launch)
    }

    /// Ready = in charge and open to clients, or a full copy of the one that is. The primary comes to be in charge again
    /// whenever it runs.
    fn check_ready(&self, _: usize) -> Answer<'_> {
        Box::pin(async {
            if TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            ensure!(self.ordinal == 1, "the primary does not serve MQTT");
            let log = read(&self.log_file)?;
            if !log.rsplit(BEGINS).next().is_some_and(|newest| newest.contains(IS_COPY)) {
                bail!("the backup is no full copy of the primary");
            }
            Ok(())
        })
    }
}

// === impl Haproxy ===

impl Haproxy {
    fn settings(&self) -> PathBuf {
        self.folder.join("haproxy.cfg")
    }
}

impl Software for Haproxy {
    fn role(&self) -> Role {
        Role::Mqtt
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn password_folder(&self) -> Option<&Path> {
        Some(&self.passwords)
    }

    /// Writes the configuration for today's ports.
    fn configure(&self) -> Result<()> {
        let mut text = read(&self.files.join("haproxy.cfg"))?;
        text = replaced(&text, "bind :1883", &format!("bind {}", self.address))?;
        text = replaced(&text, "bind :8404", &format!("bind {}", self.metrics))?;
        for (ordinal, address) in self.brokers.iter().enumerate() {
            text = between(&text, &format!("server node-{ordinal} "), " ", &address.to_string())?;
        }
        write_private(&self.settings(), &text)
    }

    fn launch(&self, log_file: PathBuf) -> Result<Launch> {
        let arguments = ["-W".into(), "-db".into(), "-f".into(), self.settings().into_os_string()];
        let mut launch = Launch::new(self.installation.haproxy(), log_file).args(arguments);
        launch
            .environment
            .push(("CHECK".to_owned(), check(&read(&password_file(&self.passwords, "observer"))?)));
        Ok(launch)
    }

    /// Ready = it takes connections; that a broker is behind it is the brokers' own to say.
    fn check_ready(&self, _: usize) -> Answer<'_> {
        Box::pin(async {
            TcpStream::connect(self.address).await.context("cannot connect")?;
            Ok(())
        })
    }
}

/// The CONNECT that the chart's container makes for the proxy's checks, in hexadecimal digits.
fn check(password: &str) -> String {
    let hex = |text: &str| text.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let text = |text: &str| format!("{:04x}{}", text.len(), hex(text));
    let rest = format!("00044d51545404c2000a0000{}{}", text("observer"), text(password));
    format!("10{:02x}{rest}", rest.len() / 2)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn replaced(text: &str, what: &str, by: &str) -> Result<String> {
    ensure!(text.contains(what), "the chart's file has no {what}:\n{text}");
    Ok(text.replace(what, by))
}

/// Replaces what is between the first `begin` and the `end` after it.
fn between(text: &str, begin: &str, end: &str, by: &str) -> Result<String> {
    let place = text.find(begin).with_context(|| format!("the chart's file has no {begin}:\n{text}"))?;
    let (before, rest) = text.split_at(place + begin.len());
    let old = rest.find(end).with_context(|| format!("the chart's file does not end {begin}:\n{text}"))?;
    Ok(format!("{before}{by}{}", &rest[old..]))
}
