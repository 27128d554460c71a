//! From a name to a server that can be started: its data folder and today's configuration.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::identity::{self, StackFile};
use crate::installation::{Installation, database_user};
use crate::kafka::{Addresses, Kafka};
use crate::mosquitto::{Mosquitto, TlsAddresses};
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
            }
            identity::write_id(&folder, &self.id)?;
        }
        if !file.made.iter().any(|made| made == name) {
            file.add_made(&self.dir, name)?;
        }
        match &kind {
            Kind::Mosquitto(mosquitto) => mosquitto.configure()?,
            Kind::Kafka(kafka) => kafka.configure()?,
            Kind::Timescale(_) => {}
        }
        Ok(Server::new(kind, name, &self.dir))
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
