//! What a figure depends on besides the code: how durable the servers were.

use std::fmt;

use anyhow::Context as _;
use serde::Serialize;
use tokio_postgres::Client;
use wattline_service::postgres::FromRow;
use wattline_service::row;

use crate::target::Target;

/// The servers' settings that cost speed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// PostgreSQL's version.
    pub postgres: String,
    /// `on`: a commit is on the disk.
    pub fsync: String,
    /// `on`: a commit waits for that.
    pub synchronous_commit: String,
    /// Its cache.
    pub shared_buffers: String,
    /// Seconds from one save of Mosquitto's queues to the next, where the stack's file says it.
    pub broker_save_s: Option<u32>,
}

row! {
    /// PostgreSQL's settings, by their names.
    struct SettingsRow {
        server_version: String,
        fsync: String,
        synchronous_commit: String,
        shared_buffers: String,
    }
}

// === impl Conditions ===

impl Conditions {
    /// Asks the stack.
    ///
    /// # Errors
    /// Where the database doesn't answer.
    pub async fn read(client: &Client, target: &Target) -> anyhow::Result<Self> {
        let row = client.query_one(include_str!("sql/conditions.sql"), &[]).await;
        let row = row.and_then(|row| SettingsRow::from_row(&row));
        let settings = row.context("asking the database for its settings")?;
        Ok(Self {
            postgres: settings.server_version,
            fsync: settings.fsync,
            synchronous_commit: settings.synchronous_commit,
            shared_buffers: settings.shared_buffers,
            broker_save_s: target.broker_save_s,
        })
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { postgres, fsync, synchronous_commit, shared_buffers, broker_save_s } = self;
        let durable = if fsync == "on" { "durable" } else { "NOT durable" };
        write!(
            formatter,
            "PostgreSQL {postgres} is {durable}: fsync {fsync}, synchronous_commit {synchronous_commit}, \
             shared_buffers {shared_buffers}. "
        )?;
        match broker_save_s {
            Some(1) => write!(formatter, "Mosquitto saves its queues each second."),
            Some(seconds) => write!(formatter, "Mosquitto saves its queues each {seconds} s."),
            None => write!(formatter, "How often the broker saves its queues isn't known."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_at_once_what_is_not_durable() {
        let mut conditions = Conditions {
            postgres: "17.4".to_owned(),
            fsync: "on".to_owned(),
            synchronous_commit: "on".to_owned(),
            shared_buffers: "512MB".to_owned(),
            broker_save_s: Some(3600),
        };
        let text = conditions.to_string();
        assert!(text.contains("17.4 is durable") && text.contains("each 3600 s"), "{text}");
        conditions.fsync = "off".to_owned();
        conditions.broker_save_s = Some(1);
        let text = conditions.to_string();
        assert!(text.contains("NOT durable: fsync off") && text.contains("each second"), "{text}");
    }
}
