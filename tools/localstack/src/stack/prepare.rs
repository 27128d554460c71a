//! From a name to a server that can be started: its data folder and today's configuration.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::artemis::{Artemis, Haproxy};
use crate::identity::{self, StackFile};
use crate::installation::{Installation, database_user};
use crate::kafka::{Addresses, Kafka};
use crate::mosquitto::{Mosquitto, TlsAddresses};
use crate::patroni::{Etcd, Patroni};
use crate::placement::place_database;
use crate::proxy::Proxy;
use crate::server::{Kind, Server};
use crate::timescale::Timescale;

use super::{Stack, StackOptions};

impl Stack {
    /// Makes the data folder `name` unless it is complete, and writes today's configuration.
    pub(super) fn prepare(
        &self,
        name: &str,
        options: &StackOptions,
        installation: &Installation,
        file: &mut StackFile,
    ) -> Result<Server> {
        let link = self.dir.join(name);
        let fresh = identity::read_id(&link)?.is_none();
        if fresh {
            remove_incomplete(&link)?;
            if name == "timescale" {
                place_database(&self.dir, &self.id, installation)?;
            }
            fs::create_dir_all(&link).with_context(|| format!("cannot create {}", link.display()))?;
        }
        // The database's user can't follow a link in a folder that is closed to it.
        let folder = fs::canonicalize(&link).with_context(|| format!("cannot find {}", link.display()))?;
        let kind = self.kind(name, &folder, options, installation)?;
        if fresh {
            match &kind {
                Kind::Mosquitto(mosquitto) => mosquitto.make(installation)?,
                Kind::Kafka(kafka) => kafka.make(&self.id)?,
                Kind::Timescale(timescale) => timescale.make()?,
                Kind::Patroni(patroni) => patroni.make()?,
                Kind::Artemis(artemis) => artemis.make()?,
                Kind::Etcd(_) | Kind::Haproxy(_) => {}
            }
            identity::write_id(&folder, &self.id)?;
        }
        if !file.made.iter().any(|made| made == name) {
            file.add_made(&self.dir, name)?;
        }
        match &kind {
            Kind::Mosquitto(mosquitto) => mosquitto.configure()?,
            Kind::Kafka(kafka) => kafka.configure()?,
            Kind::Patroni(patroni) => patroni.configure()?,
            Kind::Artemis(artemis) => artemis.configure()?,
            Kind::Haproxy(haproxy) => haproxy.configure()?,
            Kind::Timescale(_) | Kind::Etcd(_) => {}
        }
        Server::new(kind, name, &self.dir)
    }

    fn kind(
        &self,
        name: &str,
        folder: &Path,
        options: &StackOptions,
        installation: &Installation,
    ) -> Result<Kind> {
        let (folder, temporary) = (folder.to_owned(), self.temporary);
        Ok(match name {
            "mosquitto" => Kind::Mosquitto(Mosquitto {
                folder,
                address: self.port(name),
                executable: installation.mosquitto(),
                temporary,
                save_s: options.broker_save_s,
                tls: options.mqtt_tls.then(|| TlsAddresses {
                    password: self.port("mosquitto-tls"),
                    certificate: self.port("mosquitto-mtls"),
                }),
            }),
            "timescale" => Kind::Timescale(Timescale {
                folder,
                address: self.port(name),
                installation: installation.clone(),
                user: database_user()?,
                durable: options.durable.unwrap_or(!temporary),
                settings: options.database_settings.clone(),
                temporary,
            }),
            "etcd" => Kind::Etcd(Etcd {
                folder,
                client: self.port(name),
                peer: self.port("etcd-peer"),
                installation: installation.clone(),
            }),
            name if name.starts_with("patroni") => Kind::Patroni(Patroni {
                name: name.to_owned(),
                folder,
                address: self.port(name),
                rest: self.port(&format!("{name}-rest")),
                etcd: self.port("etcd"),
                installation: installation.clone(),
                user: database_user()?,
                durable: options.durable.unwrap_or(!temporary),
            }),
            "artemis-0" | "artemis-1" => Kind::Artemis(Artemis {
                ordinal: usize::from(name == "artemis-1"),
                folder,
                address: self.port(name),
                pair: ["artemis-0-pair", "artemis-1-pair"].map(|name| self.port(name)),
                passwords: self.dir.join("artemis-0"),
                files: options.artemis_files.clone(),
                log_file: self.dir.join("logs").join(format!("{name}.log")),
                installation: installation.clone(),
            }),
            "haproxy" => Kind::Haproxy(Haproxy {
                folder,
                address: self.port(name),
                metrics: self.port("haproxy-metrics"),
                brokers: ["artemis-0", "artemis-1"].map(|name| self.port(name)),
                files: options.artemis_files.clone(),
                installation: installation.clone(),
            }),
            _ => Kind::Kafka(Box::new(self.kafka_node(name, folder, options, installation)?)),
        })
    }

    fn kafka_node(
        &self,
        name: &str,
        folder: PathBuf,
        options: &StackOptions,
        installation: &Installation,
    ) -> Result<Kafka> {
        let node: u16 = name.trim_start_matches("kafka-").parse().context("a Kafka node without a number")?;
        let client = self.port(name);
        let proxy = self.kafka_proxies.get(usize::from(node) - 1);
        let controllers =
            (1..=options.kafka_brokers).map(|node| self.port(&format!("kafka-{node}-controller")));
        Ok(Kafka {
            node,
            folder,
            tuning: options.kafka_tuning,
            installation: installation.clone(),
            addresses: Addresses {
                client,
                advertised: proxy.map_or(client, Proxy::addr),
                direct: self.port(&format!("{name}-direct")),
                controller: self.port(&format!("{name}-controller")),
            },
            controllers: controllers.collect(),
            default_timeouts: options.kafka_default_timeouts,
            temporary: self.temporary,
        })
    }
}

/// Removes what a run left that was killed while it made the folder, or the link to it.
fn remove_incomplete(link: &Path) -> Result<()> {
    let context = || format!("cannot remove the incomplete {}", link.display());
    if let Ok(folder) = fs::canonicalize(link) {
        fs::remove_dir_all(folder).with_context(context)?;
    }
    if link.is_symlink() {
        fs::remove_file(link).with_context(context)?;
    }
    Ok(())
}
