//! The command line of `wattlinectl offsets`.

use std::io::Write;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;
use wattline_service::KafkaSettings;

use super::{Desk, Standing};
use crate::arguments::Database;
use crate::patience::Patience;
use crate::print::{WRITE, table};

/// What to do with the offsets of which Kafka and database.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Kafka's addresses, `host:port`, separated by commas. Security settings come from WATTLINE__KAFKA__…
    #[arg(long, env = "WATTLINE__KAFKA__BROKERS", global = true)]
    brokers: Option<String>,
    #[command(flatten)]
    database: Database,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Where each consumer stands in each partition, and whether that fits what Kafka has.
    Show {
        /// JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Kafka has lost records that were stored already: go on where it ended when that was found, so that what was written
    /// since is stored. What is stored stays.
    Adopt {
        /// Only this topic.
        #[arg(long)]
        topic: Option<String>,
        /// Only this partition.
        #[arg(long, value_name = "N", requires = "topic")]
        partition: Option<i32>,
        /// Go on although the topic has another number of partitions: a meter's readings are in two of them from then on,
        /// and may conflict with or overwrite each other.
        #[arg(long, requires = "topic", conflicts_with = "partition")]
        partitions: bool,
    },
    /// The topic was made anew, and the old records are gone for good: forget the old offsets, begin with its first record.
    Reset {
        /// The topic.
        #[arg(long)]
        topic: String,
    },
    /// Kafka can't deliver records that it holds, and no replica has them whole: delete them from Kafka, with everything before
    /// them in the partition. Consumers that have not read them count them as lost.
    Skip {
        /// The topic.
        #[arg(long)]
        topic: String,
        /// The partition.
        #[arg(long, value_name = "N")]
        partition: i32,
        /// The first record to be kept. Without it: the first that can be read again, which takes up to two minutes to find.
        #[arg(long, value_name = "OFFSET")]
        before: Option<i64>,
    },
}

/// Does it, and writes what was done to `out`.
///
/// # Errors
/// What is wrong, where, and what to do.
pub async fn run(
    arguments: Arguments,
    kafka: KafkaSettings,
    patience: Patience,
    mut out: impl Write,
) -> anyhow::Result<()> {
    let Arguments { brokers, database, command } = arguments;
    let brokers = brokers.context("which Kafka? Say --brokers host:port, or set WATTLINE__KAFKA__BROKERS")?;
    let database = database.settings()?;
    let client = patience.connect(&database, "wattlinectl offsets").await?;
    let kafka = KafkaSettings { brokers, ..kafka };
    let mut desk = Desk::new(client, &kafka)?;
    let lines = match command {
        Command::Show { json } => return print(&desk.show().await?, json, &mut out),
        Command::Adopt { topic: Some(topic), partitions: true, .. } => {
            let changed = desk.adopt_partitions(&topic).await?;
            vec![format!("{changed} offsets of {topic} are for its present number of partitions now")]
        }
        Command::Adopt { topic, partition, .. } => {
            let mut lines = desk.adopt(topic.as_deref(), partition).await?;
            if lines.is_empty() {
                lines.push("nothing to adopt: Kafka has lost nothing there".to_owned());
            }
            lines
        }
        Command::Reset { topic } => match desk.reset(&topic).await? {
            0 => vec![format!(
                "nothing to reset: the offsets of {topic} are those of the topic that Kafka has"
            )],
            deleted => vec![format!("{deleted} offsets of a {topic} of before are forgotten")],
        },
        Command::Skip { topic, partition, before } => desk.skip(&kafka, &topic, partition, before).await?,
    };
    for line in lines {
        writeln!(out, "{line}").context(WRITE)?;
    }
    Ok(())
}

fn print(standings: &[Standing], json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if json {
        for Standing { row, kafka, verdict } in standings {
            let line = json!({
                "consumer": row.consumer,
                "topic": row.topic,
                "partition": row.partition,
                "next_offset": row.next_offset,
                "kafka_begin": kafka.map(|(low, _)| low),
                "kafka_end": kafka.map(|(_, high)| high),
                "verdict": verdict.to_string(),
                "refused": row.refused,
                "updated_at": row.updated_at.to_rfc3339(),
            });
            writeln!(out, "{line}").context(WRITE)?;
        }
        return Ok(());
    }
    let number = |number: Option<i64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let cells = |standing: &Standing| {
        let Standing { row, kafka, verdict } = standing;
        vec![
            row.topic.clone(),
            row.partition.to_string(),
            row.consumer.clone(),
            row.next_offset.to_string(),
            number(kafka.map(|(low, _)| low)),
            number(kafka.map(|(_, high)| high)),
            verdict.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = standings.iter().map(cells).collect();
    table(&["topic", "partition", "consumer", "next", "kafka begins", "kafka ends", "verdict"], &rows, out)
}
