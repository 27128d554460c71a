//! What ingest would make of a message, without any server: `wattlinectl decode`.

mod settings;

use std::collections::BTreeMap;
use std::io::{BufRead, Read, Write};
use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use wattline_reading::Timestamp;
use wattline_reading::topics::PACKET_BYTES_MAX;
use wattline_routes::answer::{Answer, answer};
use wattline_routes::{Decoded, Input, Judge, Memory};

use settings::Settings;

/// Decodes messages as ingest does with a configuration; remembers what it has decoded, as ingest does.
#[derive(Debug)]
pub struct Decoder {
    /// By the routes that stand outside of `[[broker]]`.
    common: OfBroker,
    /// By name; none where the configuration has one broker.
    brokers: BTreeMap<String, OfBroker>,
}

/// Each broker may have routes of its own, and is a world of its own to what is remembered.
#[derive(Debug)]
struct OfBroker {
    judge: Judge,
    memory: Memory,
}

/// One message to decode.
#[derive(Clone, Debug)]
pub struct Message {
    /// The topic it was published on.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// When it arrived.
    pub at: Timestamp,
    /// The broker delivered it with the RETAIN flag.
    pub retained: bool,
    /// The name of the broker it came by; without it the routes that brokers share hold.
    pub broker: Option<String>,
}

/// A line of `--batch`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    topic: String,
    payload: Option<String>,
    payload_base64: Option<String>,
    at: Option<String>,
    #[serde(default)]
    retained: bool,
    broker: Option<String>,
}

// === impl Decoder ===

impl Decoder {
    /// With the routes and limits of a configuration file of mqtt-ingest; without one those of its defaults.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn new(routes: Option<&Path>) -> anyhow::Result<Self> {
        let settings: Settings = match routes {
            Some(file) => wattline_service::config::load_from(Some(file), [].into())?,
            None => Settings::default(),
        };
        let of = |judge| OfBroker { judge, memory: Memory::default() };
        let mut brokers = BTreeMap::new();
        for broker in &settings.broker {
            let judge = settings.judge(Some(broker)).with_context(|| format!("broker {:?}", broker.name))?;
            brokers.insert(broker.name.clone(), of(judge));
        }
        Ok(Self { common: of(settings.judge(None)?), brokers })
    }

    /// What ingest would make of a message, to be printed.
    ///
    /// # Errors
    /// Where the configuration doesn't have the message's broker.
    pub fn decode(&mut self, message: &Message) -> anyhow::Result<Answer> {
        let OfBroker { judge, memory } = self.of(message.broker.as_deref())?;
        Ok(answer(judge, &message.input(), memory))
    }

    /// What ingest would make of a message, as ingest itself decides it.
    ///
    /// # Errors
    /// Where the configuration doesn't have the message's broker.
    pub fn decide(&mut self, message: &Message) -> anyhow::Result<Decoded> {
        let OfBroker { judge, memory } = self.of(message.broker.as_deref())?;
        Ok(judge.decide(&message.input(), memory, |_| {}))
    }

    /// The filter of the route that takes a topic of a broker.
    ///
    /// # Errors
    /// Where the configuration doesn't have the broker.
    pub fn route(&mut self, topic: &str, broker: Option<&str>) -> anyhow::Result<Option<String>> {
        Ok(self.of(broker)?.judge.routes.find(topic).map(|route| route.filter.clone()))
    }

    /// A configuration with one broker is that of every message, whatever the broker was called.
    fn of(&mut self, broker: Option<&str>) -> anyhow::Result<&mut OfBroker> {
        let Some(broker) = broker.filter(|_| !self.brokers.is_empty()) else { return Ok(&mut self.common) };
        let names: Vec<&str> = self.brokers.keys().map(String::as_str).collect();
        let names = names.join(", ");
        self.brokers.get_mut(broker).with_context(|| {
            format!("the configuration has no broker {broker:?}, only {names}: its routes are not known")
        })
    }

    /// Answers one payload from `input` with one line.
    ///
    /// # Errors
    /// As [`Decoder::decode`]; where `input` or `output` fails, or a payload is larger than any packet.
    pub fn decode_one(
        &mut self,
        mut message: Message,
        input: impl Read,
        mut output: impl Write,
    ) -> anyhow::Result<()> {
        let most = PACKET_BYTES_MAX as u64 + 1;
        input.take(most).read_to_end(&mut message.payload).context("cannot read the payload")?;
        write_line(&self.decode(&message)?, &mut output)
    }

    /// Answers JSON lines with JSON lines.
    ///
    /// # Errors
    /// Where `input` or `output` fails, or a line is no message; names the line.
    pub fn decode_batch(
        &mut self,
        now: Timestamp,
        input: impl BufRead,
        mut output: impl Write,
    ) -> anyhow::Result<()> {
        for (number, line) in (1..).zip(input.lines()) {
            let line = line.with_context(|| format!("line {number}"))?;
            if line.trim().is_empty() {
                continue;
            }
            let message = parse_line(&line, now).with_context(|| format!("line {number}"))?;
            let answer = self.decode(&message).with_context(|| format!("line {number}"))?;
            write_line(&answer, &mut output)?;
        }
        Ok(())
    }
}

// === impl Message ===

impl Message {
    fn input(&self) -> Input<'_> {
        Input {
            topic: &self.topic,
            payload: &self.payload,
            retained: self.retained,
            redelivered: false,
            received_at: self.at,
        }
    }
}

fn parse_time(text: &str) -> anyhow::Result<Timestamp> {
    Timestamp::parse_rfc3339(text)
        .with_context(|| format!("{text:?} is no time: write it as 2026-11-20T10:00:00Z"))
}

fn parse_line(line: &str, now: Timestamp) -> anyhow::Result<Message> {
    let line: Line = serde_json::from_str(line)?;
    let payload = match (line.payload, line.payload_base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => BASE64_STANDARD.decode(text).context("payload_base64")?,
        _ => bail!("write payload or payload_base64, and not both"),
    };
    let at = line.at.as_deref().map_or(Ok(now), parse_time)?;
    Ok(Message { topic: line.topic, payload, at, retained: line.retained, broker: line.broker })
}

fn write_line(answer: &Answer, mut output: impl Write) -> anyhow::Result<()> {
    serde_json::to_writer(&mut output, answer)?;
    output.write_all(b"\n").context("cannot write the answer")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-20T10:00:30Z";

    fn answers(lines: &str) -> anyhow::Result<Vec<serde_json::Value>> {
        let mut output = Vec::new();
        let now = parse_time(NOW)?;
        Decoder::new(None)?.decode_batch(now, lines.as_bytes(), &mut output)?;
        let lines = String::from_utf8(output)?;
        Ok(lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    #[test]
    fn one_payload_gives_one_object() {
        let message = Message {
            topic: "wattline/m1/reading".to_owned(),
            payload: Vec::new(),
            at: parse_time(NOW).unwrap(),
            retained: false,
            broker: None,
        };
        let mut output = Vec::new();
        let payload =
            br#"{"ts":"2026-11-20T10:00:00Z","power_w":432.1,"energy_import_wh":1.5,"frequency_hz":198}"#;
        Decoder::new(None).unwrap().decode_one(message, &payload[..], &mut output).unwrap();
        let expected = serde_json::json!({
            "kind": "readings", "route": "wattline/+/reading", "decoder": "wattline-json",
            "readings": [{"meter_id": "m1", "ts": "2026-11-20T10:00:00Z", "ts_source": "device",
                          "power_w": 432.1, "energy_import_wh": 1.5}],
            "left_out": [{"field": "frequency_hz", "reason": "implausible"}],
        });
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&output).unwrap(), expected);
    }

    #[test]
    fn a_batch_is_answered_line_by_line() {
        let answers = answers(
            "{\"topic\":\"shellies/a/emeter/0/power\",\"payload_base64\":\"NS41\"}\n\n\
             {\"topic\":\"shellies/a/emeter/0/power\",\"payload\":\"5\",\"retained\":true}\n\
             {\"topic\":\"nobody\",\"payload\":\"\",\"at\":\"2026-11-20T10:00:00Z\"}\n",
        )
        .unwrap();
        assert_eq!(answers[0]["readings"][0]["power_w"], 5.5);
        assert_eq!(answers[0]["readings"][0]["ts"], NOW);
        assert_eq!(answers[1]["reason"], "retained_without_time");
        assert_eq!(answers[2]["reason"], "no_route");
    }

    #[test]
    fn a_line_that_is_no_message_is_named() {
        for (line, word) in [
            ("{}", "line 1"),
            ("{\"topic\":\"a\"}", "payload_base64"),
            ("{\"topic\":\"a\",\"payload\":\"\",\"at\":\"soon\"}", "2026-11-20T10:00:00Z"),
            ("{\"topic\":\"a\",\"payload_base64\":\"*\"}", "payload_base64"),
        ] {
            let error = format!("{:#}", answers(line).unwrap_err());
            assert!(error.contains(word), "{line}: {error}");
        }
    }
}
