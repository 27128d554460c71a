//! A Kubernetes control plane on loopback, with nodes that only KWOK knows.
//!
//! The API server, its admission, the controllers and the scheduler are the real ones; containers are not started, KWOK
//! says that they run. docs/kubernetes-tests.md lists what that can show and what it can't.

mod nodes;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use wattline_localstack::{Launch, Port, Program, poll_until, rss_bytes};

use crate::tool::Tool;

pub use nodes::{NODES, PLATFORM_NAMESPACE, platform_requests};

/// Of a name that is nobody's but this folder's: the servers listen on loopback, other users of the machine may too.
const TOKEN_BYTES: usize = 24;
/// For a machine that builds beside it: the API server alone takes ten seconds of processor time to start.
const READY_DEADLINE: Duration = Duration::from_secs(300);
const FOLDER_PREFIX: &str = "wattline-kubernetes-";
/// Locked by the run that a folder belongs to; the kernel unlocks it with its process, however that ends.
const LOCK: &str = "lock";
const KUBECONFIG: &str = "kubeconfig";

/// Where the programs, the definitions of foreign resources and the stages of pods lie.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Made by `scripts/kubernetes-tools.sh`.
    pub tools: PathBuf,
    /// KWOK's stages that its module doesn't have.
    pub stages: PathBuf,
}

/// A running control plane. Its processes end with this process, however that ends.
#[derive(Debug)]
pub struct Cluster {
    /// `kubectl` for it.
    pub kubectl: Tool,
    /// `helm` for it.
    pub helm: Tool,
    tools: PathBuf,
    servers: Vec<Program>,
    // Dropped last: the servers write there.
    dir: tempfile::TempDir,
    _lock: fs::File,
    _ports: Vec<Port>,
}

/// The folder, the addresses and the token that all processes are told.
struct Plan {
    dir: PathBuf,
    tools: PathBuf,
    etcd: Port,
    etcd_peer: Port,
    api: Port,
    controller_manager: Port,
    scheduler: Port,
    kwok: Port,
    token: String,
}

// === impl Cluster ===

impl Cluster {
    /// Starts everything and waits until three nodes are ready.
    ///
    /// # Errors
    /// Where a program is missing or doesn't come up; with the end of its log.
    pub async fn start(sources: &Sources) -> Result<Self> {
        remove_leftovers();
        let dir = tempfile::Builder::new().prefix(FOLDER_PREFIX).tempdir()?;
        let lock = fs::File::create(dir.path().join(LOCK))?;
        lock.try_lock().context("the lock of a new folder")?;
        let plan = Plan::new(dir.path(), &sources.tools)?;
        plan.write_files(&sources.stages).await?;
        let kubeconfig = plan.dir.join(KUBECONFIG);
        let helm_home = plan.dir.join("helm");
        let kubectl = Tool::new(&plan.tools.join("kubectl"), &[("KUBECONFIG", &kubeconfig)])?;
        let helm = Tool::new(
            &plan.tools.join("helm"),
            &[
                ("KUBECONFIG", &kubeconfig),
                ("HELM_CACHE_HOME", &helm_home),
                ("HELM_CONFIG_HOME", &helm_home),
                ("HELM_DATA_HOME", &helm_home),
            ],
        )?;
        let tools = plan.tools.clone();
        let mut cluster =
            Self { kubectl, helm, tools, servers: Vec::new(), dir, _lock: lock, _ports: Vec::new() };
        cluster.servers.push(plan.start_etcd()?);
        cluster.servers.push(plan.start_api_server()?);
        cluster.wait_for_api_server().await?;
        cluster.servers.push(plan.start_controller_manager()?);
        cluster.servers.push(plan.start_scheduler()?);
        cluster.servers.push(plan.start_kwok()?);
        cluster._ports = plan.ports();
        cluster.create_nodes().await?;
        Ok(cluster)
    }

    /// Stops the clients of the API server before it, and it before etcd, without which it would wait for minutes.
    ///
    /// # Errors
    /// Where one had to be killed.
    pub async fn stop(self) -> Result<()> {
        for server in self.servers.iter().rev() {
            server.stop().await?;
        }
        Ok(())
    }

    /// Resident memory of all processes, in MiB.
    #[must_use]
    pub fn memory_mib(&self) -> u64 {
        self.servers.iter().filter_map(Program::pid).map(rss_bytes).sum::<u64>() / 1024 / 1024
    }

    /// A script that finds `kubectl` for this cluster.
    ///
    /// # Errors
    /// Where there is none.
    pub fn script(&self, script: &Path) -> Result<Tool> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths([self.tools.clone()].into_iter().chain(std::env::split_paths(&path)))?;
        Tool::new(script, &[("KUBECONFIG", &self.dir.path().join(KUBECONFIG)), ("PATH", Path::new(&path))])
    }

    /// A folder that goes with the cluster.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    async fn wait_for_api_server(&self) -> Result<()> {
        let mut said = String::new();
        let ready = poll_until("the API server", READY_DEADLINE, Duration::from_millis(500), async || {
            for server in &self.servers {
                ensure!(server.pid().is_some(), "{} has ended:\n{}", server.name(), server.log_tail(15));
            }
            let answer =
                self.kubectl.ask(&["get", "--raw", "/readyz", "--request-timeout=10s"], None).await?;
            said = answer.to_string();
            Ok(answer.success.then_some(()))
        });
        ready.await.with_context(|| {
            let logs =
                self.servers.iter().map(|server| format!("{}:\n{}", server.name(), server.log_tail(8)));
            format!("{said}\n{}", logs.collect::<Vec<_>>().join("\n"))
        })
    }

    /// Applies objects as the cluster's administrator.
    ///
    /// # Errors
    /// Where the API server refuses one.
    pub async fn apply(&self, objects: &[Value]) -> Result<()> {
        if objects.is_empty() {
            return Ok(());
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
        // The server knows the fields; kubectl would download all definitions to look itself.
        self.kubectl.feed(&["apply", "--server-side", "--validate=false", "-f", "-"], &list).await?;
        Ok(())
    }
}

// === impl Plan ===

impl Plan {
    fn new(dir: &Path, tools: &Path) -> Result<Self> {
        let port = || Port::choose(None);
        Ok(Self {
            dir: dir.to_owned(),
            tools: tools.to_owned(),
            etcd: port()?,
            etcd_peer: port()?,
            api: port()?,
            controller_manager: port()?,
            scheduler: port()?,
            kwok: port()?,
            token: random_token()?,
        })
    }

    fn ports(self) -> Vec<Port> {
        vec![self.etcd, self.etcd_peer, self.api, self.controller_manager, self.scheduler, self.kwok]
    }

    async fn write_files(&self, stages: &Path) -> Result<()> {
        let write = |name: &str, text: &str| {
            let path = self.dir.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
        };
        write("tokens.csv", &format!("{},admin,admin,system:masters\n", self.token))?;
        let server = format!("https://{}", self.api.address());
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            // The server makes its certificate when it starts.
            "clusters": [{"name": "test", "cluster": {"server": server, "insecure-skip-tls-verify": true}}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        });
        write(KUBECONFIG, &config.to_string())?;
        let read =
            |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
        write("kwok.yaml", &(read(&self.tools.join("stages.yaml"))? + "---\n" + &read(stages)?))?;
        let openssl = Tool::new(Path::new("/usr/bin/openssl"), &[])?;
        let key = self.dir.join("sa.key").display().to_string();
        openssl.run(&["genrsa", "-out", &key, "2048"]).await?;
        Ok(())
    }

    fn launch(&self, name: &str, arguments: &[String]) -> Result<Program> {
        let program = self.tools.join(name);
        ensure!(program.exists(), "{} is missing: scripts/kubernetes-tools.sh builds it", program.display());
        let log = self.dir.join("logs").join(format!("{name}.log"));
        Program::start(name, Launch::new(program, log).args(arguments.iter().cloned()))
    }

    fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn start_etcd(&self) -> Result<Program> {
        let (client, peer) = (self.etcd.address(), self.etcd_peer.address());
        self.launch(
            "etcd",
            &[
                format!("--data-dir={}", self.path("etcd")),
                format!("--listen-client-urls=http://{client}"),
                format!("--advertise-client-urls=http://{client}"),
                format!("--listen-peer-urls=http://{peer}"),
                format!("--initial-advertise-peer-urls=http://{peer}"),
                format!("--initial-cluster=default=http://{peer}"),
                "--unsafe-no-fsync".to_owned(),
            ],
        )
    }

    fn start_api_server(&self) -> Result<Program> {
        self.launch(
            "kube-apiserver",
            &[
                format!("--etcd-servers=http://{}", self.etcd.address()),
                "--bind-address=127.0.0.1".to_owned(),
                format!("--secure-port={}", self.api.number()),
                format!("--cert-dir={}", self.path("certs")),
                "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
                "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
                format!("--service-account-key-file={}", self.path("sa.key")),
                format!("--service-account-signing-key-file={}", self.path("sa.key")),
                "--authorization-mode=Node,RBAC".to_owned(),
                format!("--token-auth-file={}", self.path("tokens.csv")),
                "--enable-admission-plugins=NodeRestriction".to_owned(),
                // As kubeadm has it: then Pod Security is what refuses.
                "--allow-privileged=true".to_owned(),
                "--endpoint-reconciler-type=none".to_owned(),
            ],
        )
    }

    fn start_controller_manager(&self) -> Result<Program> {
        let mut arguments = self.client_arguments("certs-controller-manager", &self.controller_manager);
        arguments.extend([
            format!("--service-account-private-key-file={}", self.path("sa.key")),
            format!("--root-ca-file={}", self.path("certs/apiserver.crt")),
            "--allocate-node-cidrs=false".to_owned(),
            "--horizontal-pod-autoscaler-sync-period=5s".to_owned(),
        ]);
        self.launch("kube-controller-manager", &arguments)
    }

    fn start_scheduler(&self) -> Result<Program> {
        self.launch("kube-scheduler", &self.client_arguments("certs-scheduler", &self.scheduler))
    }

    fn client_arguments(&self, certificates: &str, port: &Port) -> Vec<String> {
        vec![
            format!("--kubeconfig={}", self.path(KUBECONFIG)),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={}", port.number()),
            format!("--cert-dir={}", self.path(certificates)),
            "--leader-elect=false".to_owned(),
        ]
    }

    fn start_kwok(&self) -> Result<Program> {
        self.launch(
            "kwok",
            &[
                format!("--kubeconfig={}", self.path(KUBECONFIG)),
                format!("--config={}", self.path("kwok.yaml")),
                "--manage-all-nodes=false".to_owned(),
                "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake".to_owned(),
                "--node-lease-duration-seconds=40".to_owned(),
                "--cidr=10.244.0.0/16".to_owned(),
                "--node-ip=10.0.0.10".to_owned(),
                format!("--server-address={}", self.kwok.address()),
            ],
        )
    }
}

/// Deletes the folders of runs that were killed: their processes ended with them, their files did not.
fn remove_leftovers() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(FOLDER_PREFIX);
        // One without a lock is being made at this moment.
        if is_ours
            && let Ok(lock) = fs::File::open(entry.path().join(LOCK))
            && lock.try_lock().is_ok()
        {
            // What can't be deleted is somebody else's.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Of the kernel's randomness, in hexadecimal.
fn random_token() -> Result<String> {
    use std::fmt::Write as _;
    use std::io::Read as _;
    let mut bytes = [0_u8; TOKEN_BYTES];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes).context("cannot read randomness")?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
