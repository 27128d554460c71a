//! One stack, one id, in all of its data folders.
//!
//! Kafka's topics and the database's offsets belong together: a fresh Kafka under an old database would be read from
//! offsets that it has never had. So each data folder holds the id of its stack, `identity.json` lists the folders that
//! were made, and a stack whose folders differ refuses to start.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::options::kafka_name;

const ID_FILE: &str = "stack-id";
const STACK_FILE: &str = "identity.json";

/// 16 random bytes in unpadded base64url: also a valid Kafka cluster id, and used as that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackId(String);

impl StackId {
    fn random() -> Self {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        // 21 characters are 126 bits, the last one carries 2 more. A leading '-' would look like an option.
        let mut id: String = (0..21).map(|_| char::from(ALPHABET[rand::random_range(0..64)])).collect();
        id.push(char::from(b"AQgw"[rand::random_range(0..4)]));
        Self(id.replacen('-', "_", usize::from(id.starts_with('-'))))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StackId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `identity.json`: what belongs to the stack in a folder.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StackFile {
    pub(crate) id: StackId,
    /// A KRaft quorum can't be resized by another start.
    pub(crate) kafka_brokers: u16,
    /// Names of the data folders that were made to the end.
    pub(crate) made: Vec<String>,
    /// Ports of the last run by name; used again when they are free.
    pub(crate) ports: BTreeMap<String, u16>,
}

impl StackFile {
    /// Reads the stack in `dir`, or begins a new one; then checks that the `wanted` folders are all of it.
    pub(crate) fn open(dir: &Path, kafka_brokers: u16, wanted: &[String]) -> Result<Self> {
        let path = dir.join(STACK_FILE);
        let stack = match fs::read_to_string(&path) {
            Ok(text) => {
                serde_json::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Self::begin(dir, kafka_brokers, wanted)?,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        stack.check(dir, kafka_brokers, wanted)?;
        stack.save(dir)?;
        Ok(stack)
    }

    /// A new stack; where folders with data lie already, it must be whole and is theirs.
    fn begin(dir: &Path, kafka_brokers: u16, wanted: &[String]) -> Result<Self> {
        let mut new = Self { id: StackId::random(), kafka_brokers, made: Vec::new(), ports: BTreeMap::new() };
        for name in wanted {
            if let Some(id) = read_id(&dir.join(name))? {
                new.id = id;
                new.made = wanted.to_vec();
            }
        }
        Ok(new)
    }

    /// Written aside and renamed: a killed run leaves the old or the new one.
    pub(crate) fn save(&self, dir: &Path) -> Result<()> {
        let path = dir.join(STACK_FILE);
        let aside = dir.join(format!("{STACK_FILE}.new"));
        let text = serde_json::to_string_pretty(self)?;
        fs::write(&aside, text).with_context(|| format!("cannot write {}", aside.display()))?;
        fs::rename(&aside, &path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Notes that the data folder `name` is complete.
    pub(crate) fn add_made(&mut self, dir: &Path, name: &str) -> Result<()> {
        self.made.push(name.to_owned());
        self.save(dir)
    }

    fn check(&self, dir: &Path, kafka_brokers: u16, wanted: &[String]) -> Result<()> {
        let cure = format!(
            "The data folders of one stack belong together. Put the missing or foreign one back, \
             or begin anew, without any of the stored data: rm -rf {}",
            dir.display()
        );
        let has_kafka = self.made.contains(&kafka_name(1));
        if has_kafka && self.kafka_brokers != kafka_brokers {
            bail!(
                "the stack in {} has {} Kafka brokers, {kafka_brokers} were asked for. {cure}",
                dir.display(),
                self.kafka_brokers
            );
        }
        for name in wanted {
            let folder = dir.join(name);
            match read_id(&folder)? {
                Some(id) if id == self.id => {}
                Some(id) => bail!(
                    "mixed stack: {} belongs to stack {id}, {} is stack {}. {cure}",
                    folder.display(),
                    dir.display(),
                    self.id
                ),
                None if self.made.contains(name) => bail!(
                    "mixed stack: {} is missing or empty, the other folders of stack {} are from earlier. {cure}",
                    folder.display(),
                    self.id
                ),
                None => {}
            }
        }
        Ok(())
    }
}

/// The id of the stack in `dir`, if there is one.
pub(crate) fn stack_id(dir: &Path) -> Option<StackId> {
    let text = fs::read_to_string(dir.join(STACK_FILE)).ok()?;
    Some(serde_json::from_str::<StackFile>(&text).ok()?.id)
}

/// Marks a data folder as complete and as this stack's; the last step of making one.
pub(crate) fn write_id(folder: &Path, id: &StackId) -> Result<()> {
    let path = folder.join(ID_FILE);
    fs::write(&path, format!("{id}\n")).with_context(|| format!("cannot write {}", path.display()))
}

/// The stack that a data folder belongs to; `None` when it is missing or was never completed.
pub(crate) fn read_id(folder: &Path) -> Result<Option<StackId>> {
    let path = folder.join(ID_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(StackId(text.trim().to_owned()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_kafka_cluster_id() {
        for _ in 0..1000 {
            let id = StackId::random().0;
            assert_eq!(id.len(), 22);
            assert!(!id.starts_with('-') && id.ends_with(['A', 'Q', 'g', 'w']), "{id}");
        }
        assert_ne!(StackId::random(), StackId::random());
    }

    #[test]
    fn folders_without_their_identity_file_are_taken_over_only_whole() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = ["mosquitto".to_owned(), "timescale".to_owned()];
        for name in &wanted {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let id = StackId::random();
        write_id(&dir.path().join("timescale"), &id).unwrap();
        let refusal = StackFile::open(dir.path(), 1, &wanted).unwrap_err().to_string();
        assert!(refusal.contains("mosquitto is missing or empty"), "{refusal}");

        write_id(&dir.path().join("mosquitto"), &id).unwrap();
        assert_eq!(StackFile::open(dir.path(), 1, &wanted).unwrap().id, id);
    }
}
