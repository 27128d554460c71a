//! Eclipse Mosquitto: persistent sessions, passwords, one listener, and two with TLS where they are asked for.

mod authority;

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::installation::Installation;
use crate::options::{ServerKind, StackOptions};
use crate::process::Launch;
use crate::software::{Answer, Planned, Role, Site, Software};

pub use authority::{Authority, CertificateUse};

/// Who may do what. `observer` sees everything, the broker's own counters included, and is for tests and load tests.
const USERS: &[(&str, &[&str])] = &[
    ("ingest", &["topic read #", "topic readwrite wattline-canary/#", "topic write spBv1.0/+/NCMD/+"]),
    ("meters", &["topic write #"]),
    ("observer", &["topic read #", "topic read $SYS/#"]),
];
/// Whoever comes without a name may publish, as a device on the bench does that knows no password. It is loopback.
const ANYBODY: &str = "topic write #\n\n";

/// One broker in one folder.
#[derive(Debug, Clone)]
struct Mosquitto {
    folder: PathBuf,
    address: SocketAddr,
    installation: Installation,
    temporary: bool,
    /// Seconds from one save of all sessions and queues to the next; what came since is lost by a kill.
    save_s: u32,
    tls: Option<TlsAddresses>,
}

/// Two listeners with the certificate `server` of the authority in `tls/`.
#[derive(Debug, Clone, Copy)]
struct TlsAddresses {
    /// Clients have a user and a password.
    password: SocketAddr,
    /// Clients have a certificate, whose name is the user.
    certificate: SocketAddr,
}

/// One broker.
pub(crate) fn planned(options: &StackOptions) -> Vec<Planned> {
    let listeners: &[&str] = if options.mqtt_tls { &["", "-tls", "-mtls"] } else { &[""] };
    vec![Planned { listeners, ..Planned::new(ServerKind::Mosquitto, "mosquitto", build) }]
}

fn build(site: &Site<'_>) -> Result<Box<dyn Software>> {
    Ok(Box::new(Mosquitto {
        folder: site.folder.clone(),
        address: site.address(""),
        installation: site.installation.clone(),
        temporary: site.temporary,
        save_s: site.options.broker_save_s,
        tls: site
            .options
            .mqtt_tls
            .then(|| TlsAddresses { password: site.address("-tls"), certificate: site.address("-mtls") }),
    }))
}

impl Mosquitto {
    fn tls_listeners(&self) -> Result<String> {
        let Some(TlsAddresses { password, certificate }) = self.tls else {
            return Ok(String::new());
        };
        let authority = Authority::open(&tls_folder(&self.folder))?;
        if !authority.cert_file("server").exists() {
            authority.sign("server", CertificateUse::Server, &["127.0.0.1"])?;
            authority.sign("ingest", CertificateUse::Client, &["ingest"])?;
        }
        let files = format!(
            "certfile {}\nkeyfile {}\n",
            authority.cert_file("server").display(),
            authority.key_file("server").display()
        );
        Ok(format!(
            "listener {} 127.0.0.1\n{files}\
             listener {} 127.0.0.1\n{files}cafile {}\n\
             require_certificate true\nuse_identity_as_username true\n",
            password.port(),
            certificate.port(),
            authority.ca_file().display()
        ))
    }
}

impl Software for Mosquitto {
    fn role(&self) -> Role {
        Role::Mqtt
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn password_folder(&self) -> Option<&Path> {
        Some(&self.folder)
    }

    /// Makes the passwords and the access list.
    fn make(&self) -> Result<()> {
        fs::create_dir_all(self.folder.join("data"))
            .with_context(|| format!("cannot create {}", self.folder.display()))?;
        let mut access = ANYBODY.to_owned();
        let hashes = self.folder.join("passwd");
        write_private(&hashes, "")?;
        for (user, lines) in USERS {
            let password = new_password();
            write_private(&password_file(&self.folder, user), &password)?;
            let done = Command::new(self.installation.mosquitto_passwd())
                .arg("-b")
                .arg(&hashes)
                .args([user, password.as_str()])
                .output()
                .context("cannot run mosquitto_passwd")?;
            ensure!(
                done.status.success(),
                "mosquitto_passwd failed: {}",
                String::from_utf8_lossy(&done.stderr)
            );
            writeln!(access, "user {user}\n{}\n", lines.join("\n"))?;
        }
        write_private(&self.folder.join("acl"), &access)
    }

    /// Writes the configuration for today's port.
    fn configure(&self) -> Result<()> {
        let folder = self.folder.display();
        // The numbers are explicit: 0 = "no limit" is broken in 2.0.21. Memory is the limit that is meant.
        // Started as root it would become another user, who can't read these files.
        let user = if geteuid().is_root() { "user root\n" } else { "" };
        let text = format!(
            "{user}listener {port} 127.0.0.1\n\
             persistence true\n\
             persistence_location {folder}/data/\n\
             autosave_interval {save_s}\n\
             max_queued_messages 100000000\n\
             max_inflight_messages 10000\n\
             max_packet_size 3145728\n\
             persistent_client_expiration 30d\n\
             sys_interval 1\n\
             allow_anonymous true\n\
             password_file {folder}/passwd\n\
             acl_file {folder}/acl\n\
             log_dest stdout\n\
             log_type error\nlog_type warning\nlog_type notice\n\
             log_timestamp_format %Y-%m-%dT%H:%M:%S\n\
             {tls}",
            tls = self.tls_listeners()?,
            port = self.address.port(),
            save_s = self.save_s
        );
        write_private(&self.folder.join("mosquitto.conf"), &text)
    }

    fn launch(&self, log_file: PathBuf) -> Result<Launch> {
        let mut launch = Launch::new(self.installation.mosquitto(), log_file);
        launch.arguments = vec!["-c".into(), self.folder.join("mosquitto.conf").into()];
        launch.signal_on_orphaned = if self.temporary { Signal::SIGKILL } else { Signal::SIGTERM };
        Ok(launch)
    }

    /// Ready = a CONNACK for a user with a password.
    fn check_ready(&self, _: usize) -> Answer<'_> {
        Box::pin(async {
            let path = password_file(&self.folder, "observer");
            let password =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            tokio::time::timeout(Duration::from_secs(2), connect(self.address, "observer", &password))
                .await
                .context("no CONNACK in 2 s")?
        })
    }
}

/// Where the broker's authority and its certificates lie.
pub(crate) fn tls_folder(folder: &Path) -> PathBuf {
    folder.join("tls")
}

/// Made when a stack is.
pub(crate) fn new_password() -> String {
    (0..24).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect()
}

/// Where the password of a broker user lies.
pub(crate) fn password_file(folder: &Path, user: &str) -> PathBuf {
    folder.join(format!("{user}.password"))
}

/// An MQTT 3.1.1 CONNECT with a clean session, and the CONNACK.
async fn connect(address: SocketAddr, user: &str, password: &str) -> Result<()> {
    const CLEAN_SESSION_USER_PASSWORD: u8 = 0b1100_0010;
    let mut body = b"\x00\x04MQTT\x04".to_vec();
    body.extend([CLEAN_SESSION_USER_PASSWORD, 0, 10]);
    for field in ["", user, password] {
        body.extend(u16::try_from(field.len())?.to_be_bytes());
        body.extend(field.as_bytes());
    }
    let mut packet =
        vec![0x10, u8::try_from(body.len()).ok().filter(|len| *len < 128).context("long password")?];
    packet.extend(body);

    let mut stream = TcpStream::connect(address).await.context("cannot connect")?;
    stream.write_all(&packet).await.context("cannot send CONNECT")?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.context("no CONNACK")?;
    if answer != [0x20, 2, 0, 0] {
        bail!("the broker refused a connection: CONNACK {answer:?}");
    }
    stream.write_all(&[0xe0, 0]).await.context("cannot send DISCONNECT")?;
    Ok(())
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let written = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}
