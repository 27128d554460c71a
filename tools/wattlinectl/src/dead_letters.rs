//! Dead letters: found, listed, counted, shown, replayed, purged. The table `dead_letter` is what counts: a Kafka topic
//! can neither be searched nor say what became of a letter.

pub mod command;
pub mod fate;
pub mod filter;
mod mark;
mod page;
mod print;
mod produce;
pub mod purge;
pub mod replay;

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, Utc};
use strum::IntoStaticStr;
use tokio_postgres::{Client, Row};
use wattline_reading::topics;
use wattline_service::postgres::{FromRow, Trouble, describe, read_column, read_rows};
use wattline_service::row;

use filter::{Filter, Wanted};

/// Where a letter came from: its place in Kafka, which is its key in the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The Kafka topic.
    pub topic: String,
    /// Kafka's id of that very topic: a topic made anew has the same offsets again. Empty where any is meant.
    pub topic_id: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// What became of a letter: the outcome of its newest replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// It is refused, or was never replayed.
    Open,
    /// Its readings are in the readings topic.
    Replayed,
    /// There is nothing to store in it.
    Ignored,
}

row! {
    /// A letter without its payload.
    #[derive(Clone, Debug)]
    pub struct Letter {
        /// The Kafka topic that it came from.
        pub source_topic: String,
        /// Kafka's id of it.
        pub source_topic_id: String,
        /// The partition.
        pub source_partition: i32,
        /// The offset.
        pub source_offset: i64,
        /// Why it is refused: the newest word.
        pub reason: String,
        /// The same for a person.
        pub detail: String,
        /// What ingest said at first, where that is another word.
        pub first_reason: Option<String>,
        /// The topic it was published on; none for a record that the sink refused.
        pub mqtt_topic: Option<String>,
        /// The key of the record that the sink refused.
        pub record_key: Option<Vec<u8>>,
        /// The filter of the route that took it.
        pub route: Option<String>,
        /// The name that mqtt-ingest has for the broker it came by.
        pub mqtt_broker: Option<String>,
        /// The broker delivered it with the RETAIN flag.
        pub retained: bool,
        /// How large the payload is.
        pub payload_bytes: i32,
        /// When it arrived.
        pub received_at: DateTime<Utc>,
        /// When the table got it.
        pub stored_at: DateTime<Utc>,
        /// What became of it.
        pub state: String,
        /// Since when.
        pub state_at: Option<DateTime<Utc>>,
        /// Why it was ignored.
        pub state_detail: Option<String>,
        /// How often it was replayed.
        pub attempts: i32,
        /// When it was replayed last.
        pub attempted_at: Option<DateTime<Utc>>,
        /// How many readings it became.
        pub readings: Option<i32>,
    }
}

/// What letters are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum By {
    /// Why they are refused.
    Reason,
    /// The MQTT topic.
    Topic,
    /// The filter of the route.
    Route,
    /// The broker.
    Broker,
    /// What became of them.
    State,
}

row! {
    /// How many letters have something in common.
    #[derive(Clone, Debug)]
    pub struct Group {
        /// What they have in common, in the order that was asked for.
        pub words: Vec<Option<String>>,
        /// How many.
        pub letters: i64,
        /// When the first arrived.
        pub oldest: DateTime<Utc>,
        /// When the last arrived.
        pub newest: DateTime<Utc>,
    }
}

/// The newest letters, and whether there are more.
///
/// # Errors
/// What the server says, with what to do.
pub async fn list(client: &Client, filter: &Filter, limit: u32) -> anyhow::Result<(Vec<Letter>, bool)> {
    let mut wanted = filter.wanted();
    let sql = wanted.limited(include_str!("sql/dead_letters/list.sql"), i64::from(limit) + 1);
    let mut letters: Vec<Letter> = query(client, &sql, &wanted).await?;
    let more = letters.len() > limit as usize;
    letters.truncate(limit as usize);
    Ok((letters, more))
}

/// The largest groups, and whether there are more.
///
/// # Errors
/// What the server says, with what to do.
pub async fn count(
    client: &Client,
    filter: &Filter,
    by: &[By],
    limit: u32,
) -> anyhow::Result<(Vec<Group>, bool)> {
    let mut wanted = filter.wanted();
    let columns = by.iter().map(|by| by.column()).collect::<Vec<_>>().join(", ");
    let group = if by.is_empty() { String::new() } else { format!("GROUP BY {columns}") };
    let sql = wanted.limited(include_str!("sql/dead_letters/groups.sql"), i64::from(limit) + 1);
    let sql = sql.replace("{columns}", &columns).replace("{group}", &group);
    let mut groups: Vec<Group> = query(client, &sql, &wanted).await?;
    let more = groups.len() > limit as usize;
    groups.truncate(limit as usize);
    Ok((groups, more))
}

/// One letter with its whole payload.
///
/// # Errors
/// Where there is none, where there are several (of topics of one name), or what the server says.
pub async fn show(client: &Client, key: &Key) -> anyhow::Result<(Letter, Vec<u8>)> {
    let sql = include_str!("sql/dead_letters/show.sql");
    let topic_id = Some(key.topic_id.as_str()).filter(|id| !id.is_empty());
    let rows = client.query(sql, &[&key.topic, &key.partition, &key.offset, &topic_id]).await;
    let read = rows.and_then(|rows| {
        let read = |row: &Row| Ok((Letter::from_row(row)?, read_column(row, "payload")?));
        rows.iter().map(read).collect::<Result<Vec<(Letter, Vec<u8>)>, tokio_postgres::Error>>()
    });
    let mut letters = read.map_err(|error| explain("cannot read the dead letter", &error))?;
    if letters.len() > 1 {
        let keys = letters.iter().map(|(letter, _)| format!("{key}@{}", letter.source_topic_id));
        let keys = keys.collect::<Vec<_>>().join(", ");
        bail!("{key} is the place of {} letters, of topics of one name: show one of {keys}", letters.len());
    }
    letters.pop().with_context(|| {
        format!("there is no dead letter {key}: `wattlinectl dead-letters list --state any` shows their keys")
    })
}

async fn query<T>(client: &Client, sql: &str, wanted: &Wanted) -> anyhow::Result<Vec<T>>
where
    T: for<'row> FromRow<'row>,
{
    let rows = client.query(sql, &wanted.values()).await;
    rows.and_then(|rows| read_rows(&rows)).map_err(|error| explain("cannot read the dead letters", &error))
}

/// What the server said, and what to do.
fn explain(what: &str, error: &tokio_postgres::Error) -> anyhow::Error {
    let cure = match Trouble::of(error) {
        Trouble::Grant => "connect as wattline_operator, or as the owner",
        Trouble::Cancelled => "it took too long: name a shorter time with --since and --until",
        Trouble::Connection => "the connection is gone: repeat the command, nothing is done twice",
        trouble => trouble.cure(),
    };
    anyhow!("{what}: {}; {cure}", describe(error))
}

// === impl Letter ===

impl Letter {
    /// Where it came from.
    #[must_use]
    pub fn key(&self) -> Key {
        Key {
            topic: self.source_topic.clone(),
            topic_id: self.source_topic_id.clone(),
            partition: self.source_partition,
            offset: self.source_offset,
        }
    }
}

// === impl Key ===

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

impl FromStr for Key {
    type Err = String;

    /// `TOPIC/PARTITION/OFFSET`; without the topic it is that of dead letters. `@` and Kafka's id of the topic may follow.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no key: write it as `list` does, {}/PARTITION/OFFSET",
                topics::DEAD_LETTERS.name
            )
        };
        let (place, topic_id) = text.split_once('@').unwrap_or((text, ""));
        let (rest, offset) = place.rsplit_once('/').ok_or_else(wrong)?;
        let (topic, partition) = rest.rsplit_once('/').unwrap_or((topics::DEAD_LETTERS.name, rest));
        let partition = partition.parse().map_err(|_| wrong())?;
        let offset = offset.parse().map_err(|_| wrong())?;
        Ok(Self { topic: topic.to_owned(), topic_id: topic_id.to_owned(), partition, offset })
    }
}

// === impl State ===

impl State {
    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

// === impl By ===

impl By {
    const fn column(self) -> &'static str {
        match self {
            Self::Reason => "reason",
            Self::Topic => "mqtt_topic",
            Self::Route => "route",
            Self::Broker => "mqtt_broker",
            Self::State => "state",
        }
    }

    /// The word of the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_a_cure_for_every_reason() {
        let document = include_str!("../../../docs/dead-letters.md");
        for reason in wattline_reading::Reason::ALL {
            let row = format!("| `{}` |", reason.as_str());
            assert!(document.lines().any(|line| line.starts_with(&row)), "{row}");
        }
    }

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let mut key = Key {
            topic: "wattline.dead-letters.v1".to_owned(),
            topic_id: String::new(),
            partition: 2,
            offset: 1234,
        };
        assert_eq!(key.to_string().parse(), Ok(key.clone()));
        assert_eq!("2/1234".parse(), Ok(key.clone()));
        key.topic_id = "abc/lost-1".to_owned();
        assert_eq!("2/1234@abc/lost-1".parse(), Ok(key));
        for wrong in ["", "7", "x/7", "a/b/c", "a/1/"] {
            let error = wrong.parse::<Key>().unwrap_err();
            assert!(error.contains("PARTITION/OFFSET"), "{error}");
        }
    }
}
