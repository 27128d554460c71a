//! Sites with a broker, an mqtt-ingest and a Kafka of their own, whose topics MirrorMakers copy into one Kafka that
//! everything else reads.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use wattline_loadtest::publish::Broker;
use wattline_loadtest::target::{Target, read_password};
use wattline_localstack::{Mirror, ServerKind, ServiceKind, ServiceProcess, Stack, StackOptions};

use crate::system::{Shape, System, bin_dir};

/// A site.
pub struct Site {
    /// Also what its MirrorMaker calls its Kafka.
    pub name: &'static str,
    /// Its servers.
    pub stack: Stack,
    /// Copies into the central Kafka.
    pub mirror: Mirror,
    ingest: ServiceProcess,
}

/// Two sites and what they have in common.
pub struct Sites {
    /// Kafka, database and everything that reads them; no broker.
    pub central: Arc<System>,
    /// The sites.
    pub sites: [Site; 2],
}

// === impl Sites ===

impl Sites {
    /// Starts everything. `settings` are the MirrorMakers'.
    ///
    /// # Errors
    /// Where a part doesn't come up.
    pub async fn start(settings: &str) -> anyhow::Result<Self> {
        let servers = StackOptions::new().servers(&[ServerKind::Kafka, ServerKind::Timescale]);
        let central = System::start(Shape { ingests: 0, sinks: 2, servers, ..Shape::default() }).await?;
        central.add(ServiceKind::QueryApi)?;
        central.wait_ready().await?;
        let (first, second) = tokio::try_join!(
            Site::start("site-a", settings, &central.stack),
            Site::start("site-b", settings, &central.stack)
        )?;
        Ok(Self { central: Arc::new(central), sites: [first, second] })
    }

    /// Where the meters of a site publish, and where it is seen what became of it.
    ///
    /// # Errors
    /// Where the broker's password can't be read.
    pub fn target(&self, site: &Site) -> anyhow::Result<Target> {
        let password = read_password(&site.stack.mqtt_password_file("meters"))?;
        let broker = Broker::parse(&site.stack.mqtt_url(), Some(("meters".to_owned(), password)), None)?;
        let central = &self.central.stack;
        Ok(Target {
            ingest_admins: vec![site.ingest.admin_url().to_owned()],
            ..Target::of_servers(broker, central.kafka_brokers(), central.database_url())
        })
    }
}

// === impl Site ===

impl Site {
    async fn start(name: &'static str, settings: &str, central: &Stack) -> anyhow::Result<Self> {
        let servers = [ServerKind::Mosquitto, ServerKind::Kafka];
        let stack = Stack::start(StackOptions::new().servers(&servers)).await?;
        wattlinectl::topics::create(&stack.kafka_brokers(), 1).await?;
        let ingest = stack.start_service(ServiceKind::MqttIngest, 0, &bin_dir()?, &[])?;
        ingest.wait_ready().await?;
        let mirror = Mirror::start(name, settings, &stack, central)?;
        Ok(Self { name, stack, mirror, ingest })
    }
}

/// The settings that the documents give.
///
/// # Errors
/// Where they can't be read.
pub fn settings() -> anyhow::Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/mirror-maker.properties");
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}
