//! From what was asked for to servers that can be started: their ports, data folders and today's configuration.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::artemis;
use crate::disk::SmallDisk;
use crate::identity::{self, StackFile};
use crate::installation::Installation;
use crate::kafka;
use crate::mosquitto;
use crate::options::StackOptions;
use crate::patroni;
use crate::placement::place_database;
use crate::ports::Port;
use crate::server::Server;
use crate::software::{Planned, Site};
use crate::timescale;

use super::Stack;

/// Every kind, in the order of the data.
const KINDS: [fn(&StackOptions) -> Vec<Planned>; 5] =
    [mosquitto::planned, artemis::planned, kafka::planned, timescale::planned, patroni::planned];

/// The servers that were asked for, in the order of the data.
pub(super) fn planned(options: &StackOptions) -> Vec<Planned> {
    let all = KINDS.into_iter().flat_map(|planned| planned(options));
    all.filter(|planned| options.servers.contains(&planned.kind)).collect()
}

/// A port for each listener: the told one, else last time's, else any free one.
pub(super) fn choose_ports(
    told: &BTreeMap<String, u16>,
    planned: &[Planned],
    last: &BTreeMap<String, u16>,
) -> Result<BTreeMap<String, Port>> {
    let mut ports = BTreeMap::new();
    for (name, &number) in told {
        ports.insert(name.clone(), Port::told(number, name)?);
    }
    for server in planned {
        for listener in server.listeners {
            let name = format!("{}{listener}", server.name);
            let preferred = last.get(&name).copied();
            if let Entry::Vacant(entry) = ports.entry(name) {
                entry.insert(Port::choose(preferred)?);
            }
        }
    }
    Ok(ports)
}

impl Stack {
    /// Makes the data folder of a server unless it is complete, and writes today's configuration.
    pub(super) fn prepare(
        &mut self,
        planned: &Planned,
        options: &StackOptions,
        installation: &Installation,
        file: &mut StackFile,
    ) -> Result<Server> {
        let name = &planned.name;
        let link = self.dir.join(name);
        let fresh = identity::read_id(&link)?.is_none();
        if fresh {
            remove_incomplete(&link)?;
            if planned.is_reached_by_database_user {
                place_database(&self.dir, &self.id, installation)?;
            }
            fs::create_dir_all(&link).with_context(|| format!("cannot create {}", link.display()))?;
        }
        // The database's user can't follow a link in a folder that is closed to it.
        let folder = fs::canonicalize(&link).with_context(|| format!("cannot find {}", link.display()))?;
        for (_, mib) in options.disks_mib.iter().filter(|(kind, _)| *kind == planned.kind) {
            self.disks.push(SmallDisk::mount(&folder, *mib)?);
        }
        let software = (planned.build)(&Site {
            name,
            number: planned.number,
            folder: folder.clone(),
            dir: &self.dir,
            id: &self.id,
            options,
            installation,
            ports: &self.ports.lock(),
            kafka_proxies: &self.kafka_proxies,
            temporary: self.temporary,
        })?;
        if fresh {
            software.make()?;
            identity::write_id(&folder, &self.id)?;
        }
        if !file.made.contains(name) {
            file.add_made(&self.dir, name)?;
        }
        software.configure()?;
        Server::new(planned.kind, software, name, &self.dir, folder)
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
