//! Replay: decodes letters as ingest does today, with the topic, the RETAIN flag and the time of their arrival, and
//! gives their readings to Kafka. A page of letters is one transaction: they are locked, produced, confirmed by
//! Kafka, and only then marked. Interrupted at any point and repeated, their readings come to Kafka again, under the
//! same meter and time: the sink counts them as duplicates. Two replays at once skip each other's pages.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::{Client, GenericClient};
use wattline_reading::limits::Reason;
use wattline_reading::{DeadLetter, Timestamp, topics, wire};
use wattline_routes::Decoded;
use wattline_service::KafkaSettings;
use wattline_service::postgres::read_column;

use super::fate::{Becomes, Fate, Refused};
use super::filter::Filter;
use super::mark::mark;
use super::page::{Walk, Whole};
use super::produce::Producer;
use super::{Key, explain};
use crate::decode::{Decoder, Message};

/// What to replay.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which letters.
    pub filter: Filter,
    /// At most so many.
    pub limit: Option<u64>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Letters that were looked at.
    pub letters: u64,
    /// Those whose readings Kafka has.
    pub replayed: u64,
    /// How many readings these are.
    pub readings: u64,
    /// Those with nothing to store in them, by the word why.
    pub ignored: BTreeMap<String, u64>,
    /// Those that are still refused, by the reason.
    pub refused: BTreeMap<String, u64>,
}

/// What letters are judged by.
struct Judge<'a> {
    decoder: &'a mut Decoder,
    border: Timestamp,
}

/// Replays letters; `progress` hears of the sum after each page.
///
/// # Errors
/// Where a server can't be reached or refuses, with what to do. What was marked until then stays marked.
pub async fn replay(
    client: &mut Client,
    kafka: &KafkaSettings,
    decoder: &mut Decoder,
    request: &Request,
    mut progress: impl FnMut(&Report),
) -> anyhow::Result<Report> {
    let producer = Producer::new(kafka)?;
    let mut walk = Walk::begin(client, &request.filter, request.limit).await?;
    let mut report = Report::default();
    loop {
        let transaction = client.transaction().await.map_err(|error| explain("cannot begin", &error))?;
        let page = walk.next(&transaction, true).await?;
        if page.is_empty() {
            return Ok(report);
        }
        let mut judge = Judge { decoder, border: border(&transaction).await? };
        let mut fates = Vec::with_capacity(page.len());
        for (index, letter) in page.iter().enumerate() {
            let becomes = judge.judge(letter)?;
            produce(&producer, index, letter, &becomes).await?;
            fates.push(Fate::from(becomes));
        }
        for (index, code) in producer.confirmed().await? {
            let detail = format!("Kafka refuses a record of it: {code}");
            fates[index] = Fate::Refused(judge.refused(&page[index], Reason::KafkaRefused, detail)?);
        }
        mark(&transaction, &page, &fates).await?;
        let committed = transaction.commit().await;
        committed.map_err(|error| explain("cannot mark what was replayed", &error))?;
        fates.iter().for_each(|fate| report.count(fate));
        progress(&report);
    }
}

/// Says what each letter would become, and changes nothing.
///
/// # Errors
/// Where the database can't be reached or refuses, or `say` fails.
pub async fn dry_run(
    client: &Client,
    decoder: &mut Decoder,
    request: &Request,
    mut say: impl FnMut(&Key, &Becomes) -> anyhow::Result<()>,
) -> anyhow::Result<Report> {
    let mut walk = Walk::begin(client, &request.filter, request.limit).await?;
    let mut report = Report::default();
    loop {
        let page = walk.next(client, false).await?;
        if page.is_empty() {
            return Ok(report);
        }
        let mut judge = Judge { decoder, border: border(client).await? };
        for letter in &page {
            let becomes = judge.judge(letter)?;
            say(&letter.key, &becomes)?;
            report.count(&becomes.into());
        }
    }
}

async fn border(client: &impl GenericClient) -> anyhow::Result<Timestamp> {
    let row = client.query_one(include_str!("../sql/dead_letters/border.sql"), &[]).await;
    let border = row.and_then(|row| read_column::<DateTime<Utc>>(&row, "border"));
    Ok(border.map_err(|error| explain("cannot read the border of raw retention", &error))?.into())
}

async fn produce(producer: &Producer, index: usize, letter: &Whole, becomes: &Becomes) -> anyhow::Result<()> {
    match becomes {
        Becomes::Readings(readings) => {
            let mut value = Vec::new();
            for reading in readings {
                value.clear();
                wire::encode_reading(reading, &mut value);
                producer.send(index, reading.meter_id.as_bytes(), &value).await?;
            }
            Ok(())
        }
        Becomes::Record(_) => producer.send(index, &letter.record_key, &letter.payload).await,
        Becomes::Ignored(_) | Becomes::Refused(_) => Ok(()),
    }
}

// === impl Judge ===

impl Judge<'_> {
    /// What a letter becomes today.
    fn judge(&mut self, letter: &Whole) -> anyhow::Result<Becomes> {
        let becomes = self.decode(letter).with_context(|| {
            format!(
                "letter {}: replay with the configuration that has this broker, and name its letters with --broker",
                letter.key
            )
        })?;
        let too_old = becomes.readings().iter().find(|reading| reading.ts < self.border);
        match too_old.map(|reading| reading.ts) {
            Some(ts) => {
                let detail = format!(
                    "ts {ts} is before the border of raw retention, {}: it can only be purged",
                    self.border
                );
                Ok(Becomes::Refused(self.refused(letter, Reason::TsTooOld, detail)?))
            }
            None => Ok(becomes),
        }
    }

    /// Two kinds: messages that mqtt-ingest refused, and records that timescale-sink refused. Those of the topic of
    /// dead letters are messages that an older sink could not read.
    fn decode(&mut self, letter: &Whole) -> anyhow::Result<Becomes> {
        let undecodable = |error: wire::WireError| (Reason::RecordUndecodable, error.to_string());
        let refused = match &letter.mqtt_topic {
            Some(topic) => {
                let message = Message {
                    topic: topic.clone(),
                    payload: letter.payload.clone(),
                    at: letter.received_at,
                    retained: letter.retained,
                    broker: letter.broker.clone(),
                };
                return self.decide(&message);
            }
            None if letter.key.topic == topics::DEAD_LETTERS.name => {
                match wire::decode_dead_letter(&letter.payload) {
                    Ok(inner) => return self.decide(&message(inner)),
                    Err(error) => undecodable(error),
                }
            }
            None => match wire::decode_reading(Some(&letter.record_key), &letter.payload) {
                Ok(reading) => return Ok(Becomes::Record(reading)),
                Err(error) => undecodable(error),
            },
        };
        Ok(Becomes::Refused(self.refused(letter, refused.0, refused.1)?))
    }

    /// The call that takes messages in decides here too.
    fn decide(&mut self, message: &Message) -> anyhow::Result<Becomes> {
        Ok(match self.decoder.decide(message)? {
            Decoded::Readings(readings) => Becomes::Readings(readings),
            Decoded::Ignore(why) => Becomes::Ignored(why.as_str()),
            Decoded::Reject(refusal) => Becomes::Refused(Refused {
                reason: refusal.reason,
                detail: refusal.detail,
                route: self.decoder.route(&message.topic, message.broker.as_deref())?,
            }),
        })
    }

    fn refused(&mut self, letter: &Whole, reason: Reason, detail: String) -> anyhow::Result<Refused> {
        let route = match &letter.mqtt_topic {
            Some(topic) => self.decoder.route(topic, letter.broker.as_deref())?,
            None => None,
        };
        Ok(Refused { reason, detail, route })
    }
}

fn message(letter: DeadLetter) -> Message {
    Message {
        topic: letter.mqtt_topic,
        payload: letter.payload,
        at: letter.received_at,
        retained: letter.retained,
        broker: letter.broker,
    }
}

// === impl Report ===

impl Report {
    fn count(&mut self, fate: &Fate) {
        self.letters += 1;
        match fate {
            Fate::Replayed(readings) => {
                self.replayed += 1;
                self.readings += u64::from(readings.unsigned_abs());
            }
            Fate::Ignored(why) => *self.ignored.entry((*why).to_owned()).or_default() += 1,
            Fate::Refused(refused) => {
                *self.refused.entry(refused.reason.as_str().to_owned()).or_default() += 1;
            }
        }
    }
}
