//! Kafka comes back without the last batches of each partition of the readings, all of which are stored; a person does what
//! the services say.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::ensure;
use tokio_postgres::{Client, Row};
use wattline_loadtest::books::{backlog, topic_ends};
use wattline_loadtest::target::Target;
use wattline_localstack::{ServiceKind, poll_until};
use wattline_reading::topics::READINGS;

use crate::system::System;

/// What the sinks do while Kafka loses its tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sinks {
    /// What they do always.
    Run,
    /// They look again only when Kafka has written beyond all that they had read.
    Freeze,
}

/// Until Kafka has written what a frozen process had sent, which it does not say.
async fn kafka_comes_to_rest(target: &Target) -> anyhow::Result<()> {
    let mut ends = None;
    poll_until("Kafka to write no more", Duration::from_secs(120), Duration::from_secs(1), async || {
        let now = topic_ends(&target.kafka, READINGS).await?;
        let rests = ends.replace(now.clone()) == Some(now);
        Ok(rests.then_some(()))
    })
    .await
}

/// What Kafka has confirmed and nobody has stored would be lost for good, so nothing of that kind is there at that moment.
pub(crate) async fn lose_tail(system: &System, batches: usize, sinks: Sinks) -> anyhow::Result<()> {
    let ingests = system.replicas_of(ServiceKind::MqttIngest);
    for replica in &ingests {
        replica.process.freeze().await?;
    }
    let target = system.target()?;
    let client = target.connect().await?;
    kafka_comes_to_rest(&target).await?;
    system
        .wait_for("everything to be stored", async || Ok(backlog(&target.kafka, &client).await? == 0))
        .await?;
    let frozen =
        if sinks == Sinks::Freeze { system.replicas_of(ServiceKind::TimescaleSink) } else { Vec::new() };
    for replica in &frozen {
        replica.process.freeze().await?;
    }
    let before = stored_ends(&client).await?;
    let records = system.stack.kafka().lose_tail(READINGS.name, batches).await?;
    ensure!(records > 0, "Kafka had nothing to lose");
    // Right after its start a broker may not lead yet.
    system
        .wait_for("Kafka to say where it ends", async || {
            Ok(topic_ends(&target.kafka, READINGS).await.is_ok())
        })
        .await?;
    let ends = topic_ends(&target.kafka, READINGS).await?;
    let lost: HashMap<i32, Stored> = before
        .into_iter()
        .filter(|(id, stored)| ends.get(id).is_some_and(|end| *end < stored.next))
        .collect();
    for replica in &ingests {
        replica.process.thaw().await?;
    }
    if sinks == Sinks::Freeze {
        system
            .wait_for("Kafka to go on beyond all that was read", async || {
                let ends = topic_ends(&target.kafka, READINGS).await?;
                Ok(lost.iter().all(|(id, stored)| ends.get(id).is_some_and(|end| *end > stored.next)))
            })
            .await?;
    }
    for replica in &frozen {
        replica.process.thaw().await?;
    }
    system
        .wait_for("every lost tail to be found, and everybody to go on", async || {
            system.obey("offsets adopt").await?;
            let now = stored_ends(&client).await?;
            let found = |(id, before): (&i32, &Stored)| now[id].retracted > before.retracted;
            Ok(lost.iter().all(found) && system.all_ready().await)
        })
        .await
}

/// What the sinks have stored of a partition.
#[derive(Clone, Copy, Debug)]
struct Stored {
    next: i64,
    retracted: i64,
}

async fn stored_ends(client: &Client) -> anyhow::Result<HashMap<i32, Stored>> {
    let rows = "SELECT partition, next_offset, retracted FROM sink_outcome WHERE topic = $1";
    let rows = client.query(rows, &[&READINGS.name]).await?;
    let stored = |row: &Row| Stored { next: row.get("next_offset"), retracted: row.get("retracted") };
    Ok(rows.iter().map(|row| (row.get("partition"), stored(row))).collect())
}
