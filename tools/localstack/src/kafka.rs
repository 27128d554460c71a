//! Apache Kafka in KRaft mode: one combined node, or three.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::{Metadata, MetadataBroker};
use tokio::net::TcpStream;

use crate::identity::StackId;
use crate::installation::Installation;
use crate::options::{KafkaTuning, ServerKind, StackOptions, kafka_name};
use crate::process::Launch;
use crate::proxy::Proxy;
use crate::segment;
use crate::software::{Answer, Planned, Role, Site, Software};

/// Of the listener for the brokers among themselves.
const DIRECT: &str = "-direct";
const CONTROLLER: &str = "-controller";

/// One node of a cluster, broker and controller in one.
#[derive(Debug, Clone)]
struct Kafka {
    /// 1, 2, 3.
    node: u16,
    folder: PathBuf,
    tuning: KafkaTuning,
    installation: Installation,
    addresses: Addresses,
    /// Controller addresses of all nodes, this one included, in the order of their numbers.
    controllers: Vec<SocketAddr>,
    /// Leaves the timeouts of brokers and controllers at Kafka's defaults.
    default_timeouts: bool,
    /// Also the cluster's id.
    id: StackId,
    temporary: bool,
}

/// Where one node listens.
#[derive(Debug, Clone, Copy)]
struct Addresses {
    client: SocketAddr,
    /// What clients are told: a proxy, or `client` itself.
    advertised: SocketAddr,
    /// For the brokers among themselves, and for clients that must not go through the proxy.
    direct: SocketAddr,
    controller: SocketAddr,
}

/// One node, or three.
pub(crate) fn planned(options: &StackOptions) -> Vec<Planned> {
    let nodes = (1..=options.kafka_brokers).map(|number| Planned {
        number,
        listeners: &["", DIRECT, CONTROLLER],
        ..Planned::new(ServerKind::Kafka, kafka_name(number), build)
    });
    nodes.collect()
}

fn build(site: &Site<'_>) -> Result<Box<dyn Software>> {
    let client = site.address("");
    let proxy = site.kafka_proxies.get(usize::from(site.number) - 1);
    let nodes = 1..=site.options.kafka_brokers;
    Ok(Box::new(Kafka {
        node: site.number,
        folder: site.folder.clone(),
        tuning: site.options.kafka_tuning,
        installation: site.installation.clone(),
        addresses: Addresses {
            client,
            advertised: proxy.map_or(client, Proxy::addr),
            direct: site.address(DIRECT),
            controller: site.address(CONTROLLER),
        },
        controllers: nodes.map(|node| site.address_of(&(kafka_name(node) + CONTROLLER))).collect(),
        default_timeouts: site.options.kafka_default_timeouts,
        id: site.id.clone(),
        temporary: site.temporary,
    }))
}

impl Kafka {
    fn properties(&self) -> String {
        let Addresses { client, advertised, direct, controller } = self.addresses;
        let replicas = self.controllers.len();
        let in_sync = replicas.min(2);
        let voters: Vec<String> =
            (1..).zip(&self.controllers).map(|(node, address)| format!("{node}@{address}")).collect();
        // Fast failover in tests, where there is one; production keeps the defaults. A single broker that a busy machine
        // holds up for a moment must not be taken for dead.
        let failover = if replicas == 1 || self.default_timeouts {
            ""
        } else {
            "broker.heartbeat.interval.ms=500\n\
             broker.session.timeout.ms=3000\n\
             controller.quorum.election.timeout.ms=500\n\
             controller.quorum.fetch.timeout.ms=1000\n"
        };
        format!(
            "process.roles=broker,controller\n\
             node.id={node}\n\
             controller.quorum.voters={voters}\n\
             listeners=CLIENT://{client},DIRECT://{direct},CONTROLLER://{controller}\n\
             advertised.listeners=CLIENT://{advertised},DIRECT://{direct}\n\
             controller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CLIENT:PLAINTEXT,DIRECT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
             inter.broker.listener.name=DIRECT\n\
             log.dirs={folder}/data\n\
             auto.create.topics.enable=false\n\
             default.replication.factor={replicas}\n\
             min.insync.replicas={in_sync}\n\
             unclean.leader.election.enable=false\n\
             offsets.topic.num.partitions=3\n\
             offsets.topic.replication.factor={replicas}\n\
             transaction.state.log.num.partitions=3\n\
             transaction.state.log.replication.factor={replicas}\n\
             transaction.state.log.min.isr={in_sync}\n\
             share.coordinator.state.topic.num.partitions=1\n\
             share.coordinator.state.topic.replication.factor={replicas}\n\
             share.coordinator.state.topic.min.isr={in_sync}\n\
             group.initial.rebalance.delay.ms=0\n\
             group.min.session.timeout.ms=1000\n\
             {failover}",
            node = self.node,
            voters = voters.join(","),
            folder = self.folder.display(),
        )
    }
}

impl Software for Kafka {
    fn role(&self) -> Role {
        Role::Kafka
    }

    fn address(&self) -> SocketAddr {
        self.addresses.client
    }

    /// Formats the data folder, by two files rather than by a virtual machine of its own (2 s saved).
    fn make(&self) -> Result<()> {
        let data = self.folder.join("data");
        fs::create_dir_all(&data).with_context(|| format!("cannot create {}", data.display()))?;
        // Without it the broker starts with group and transaction features at level 0.
        let checkpoint = self.installation.kafka("bootstrap.checkpoint");
        fs::copy(&checkpoint, data.join("bootstrap.checkpoint"))
            .with_context(|| format!("cannot copy {}", checkpoint.display()))?;
        let meta = format!("version=1\ncluster.id={}\nnode.id={}\n", self.id, self.node);
        fs::write(data.join("meta.properties"), meta).context("cannot write meta.properties")
    }

    /// Writes the configuration for today's ports.
    fn configure(&self) -> Result<()> {
        let path = self.folder.join("server.properties");
        fs::write(&path, self.properties()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn launch(&self, log_file: PathBuf) -> Result<Launch> {
        let file = |name| self.installation.kafka(name).display().to_string();
        let tuning: &[&str] = match self.tuning {
            KafkaTuning::FastStart => &["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
            KafkaTuning::Throughput => &["-Xms256m", "-Xmx768m", "-XX:+UseParallelGC"],
        };
        let mut launch = Launch::new("java", log_file)
            .args(tuning.iter().copied())
            // An archive that doesn't fit this virtual machine is ignored.
            .args(["-Xlog:disable".into(), format!("-XX:SharedArchiveFile={}", file("kafka.jsa"))])
            .args([format!("-Dlog4j2.configurationFile={}", file("log4j2.properties"))])
            .args(["-cp".into(), file("libs/*"), "kafka.Kafka".into()])
            .args([self.folder.join("server.properties")]);
        launch.signal_on_orphaned = if self.temporary { Signal::SIGKILL } else { Signal::SIGTERM };
        Ok(launch)
    }

    /// Of the segment that is written to; what a restart makes anew goes with it.
    fn cut_tail(&self, topic: &str, batches: usize) -> Result<u64> {
        let data = self.folder.join("data");
        let mut cut = 0;
        for entry in fs::read_dir(&data).with_context(|| format!("cannot read {}", data.display()))? {
            let folder = entry?.path();
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let number = name.strip_prefix(topic).and_then(|rest| rest.strip_prefix('-'));
            if number.is_some_and(|number| number.parse::<u32>().is_ok()) {
                cut += cut_partition(&folder, batches).with_context(|| format!("cutting {name}"))?;
            }
        }
        Ok(cut)
    }

    /// Ready = a metadata request answers, names `brokers` brokers, this one among them, and every partition has a leader.
    fn check_ready(&self, brokers: usize) -> Answer<'_> {
        Box::pin(async move {
            let (address, node) = (self.addresses.direct, i32::from(self.node));
            // Spares a client of its own for as long as nobody listens.
            let connected = tokio::time::timeout(Duration::from_secs(2), TcpStream::connect(address)).await;
            connected.context("no connection in 2 s")?.context("cannot connect")?;
            tokio::task::spawn_blocking(move || check_metadata(address, node, brokers)).await?
        })
    }
}

/// Every partition has all its replicas in sync: any one broker may go.
pub(crate) async fn check_in_sync(brokers: String) -> Result<()> {
    tokio::task::spawn_blocking(move || {
        for topic in metadata(&brokers)?.topics() {
            let lagging = topic.partitions().iter().find(|it| it.isr().len() < it.replicas().len());
            if let Some(partition) = lagging {
                bail!("partition {} of {} has replicas that lag", partition.id(), topic.name());
            }
        }
        Ok(())
    })
    .await?
}

/// Takes the last batches off a partition's newest segment; gives how many records those were.
fn cut_partition(folder: &Path, batches: usize) -> Result<u64> {
    let files: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    let with = |ending: &str| {
        let mut found: Vec<&PathBuf> =
            files.iter().filter(|path| path.extension().is_some_and(|it| it == ending)).collect();
        found.sort();
        found
    };
    let Some(segment) = with("log").pop() else { return Ok(0) };
    let found = segment::batches(&fs::read(segment)?);
    let cut = &found[found.len().saturating_sub(batches)..];
    let Some(first) = cut.first() else { return Ok(0) };
    let end = u64::try_from(first.bytes.start)?;
    fs::OpenOptions::new().write(true).open(segment)?.set_len(end)?;
    // Of the producers' sequence numbers, as they were at some offset that may be gone.
    for snapshot in with("snapshot") {
        fs::remove_file(snapshot)?;
    }
    Ok(cut.iter().map(|batch| batch.records).sum())
}

fn metadata(brokers: &str) -> Result<Metadata> {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set_log_level(RDKafkaLogLevel::Emerg)
        .create()
        .context("cannot create a Kafka client")?;
    client.fetch_metadata(None, Duration::from_secs(5)).context("no metadata answer")
}

fn check_metadata(address: SocketAddr, node: i32, brokers: usize) -> Result<()> {
    let metadata = metadata(&address.to_string())?;
    let nodes: Vec<i32> = metadata.brokers().iter().map(MetadataBroker::id).collect();
    ensure!(nodes.contains(&node), "broker {node} has not joined, only {nodes:?}");
    ensure!(nodes.len() >= brokers, "only the brokers {nodes:?} of {brokers} have joined");
    for topic in metadata.topics() {
        if let Some(partition) = topic.partitions().iter().find(|partition| partition.leader() < 0) {
            bail!("partition {} of {} has no leader", partition.id(), topic.name());
        }
    }
    Ok(())
}
