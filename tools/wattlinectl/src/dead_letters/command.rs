//! The command line of `wattlinectl dead-letters`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};
use tokio_postgres::Client;
use wattline_reading::Timestamp;
use wattline_service::{DatabaseSettings, KafkaSettings};

use super::filter::{Filter, parse_time, parse_topic};
use super::replay::Request;
use super::{By, Key, State, count, list, print, purge, replay, show};
use crate::arguments::Database;
use crate::decode::Decoder;
use crate::patience::Patience;
use crate::print::WRITE;

/// What to do with which letters of which database.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// The newest letters, a line each.
    List {
        #[command(flatten)]
        filter: FilterArguments,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// JSON lines, with everything but the payload.
        #[arg(long)]
        json: bool,
    },
    /// One letter, with its whole payload: as text where it is text, else in base64.
    Show {
        /// Its key, as `list` shows it: TOPIC/PARTITION/OFFSET.
        key: Key,
        /// Only the payload, byte for byte, as for `wattlinectl decode`.
        #[arg(long, conflicts_with = "json")]
        payload: bool,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// How many letters there are, by what they have in common.
    Count {
        #[command(flatten)]
        filter: FilterArguments,
        /// What to count by; several with commas.
        #[arg(long, value_enum, value_delimiter = ',', default_value = "reason")]
        by: Vec<By>,
        /// The largest groups, at most so many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
        /// JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Decode letters again by today's routes, with the topic and time of their arrival, and give their readings to Kafka.
    ///
    /// A letter is marked when Kafka has confirmed its readings. Interrupted and repeated, a reading is still stored
    /// once: the sink counts the second as a duplicate. Letters that are still refused stay, with the newest reason.
    /// Two replays at once share the work.
    Replay {
        #[command(flatten)]
        filter: FilterArguments,
        /// Configuration file of mqtt-ingest, for its routes and limits. Without it: the defaults.
        #[arg(long, value_name = "FILE")]
        routes: Option<PathBuf>,
        /// Say what each letter would become, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// At most so many letters, the oldest first.
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        /// Kafka's addresses, `host:port`, separated by commas. Security settings come from WATTLINE__KAFKA__…
        #[arg(long, env = "WATTLINE__KAFKA__BROKERS", required_unless_present = "dry_run")]
        brokers: Option<String>,
        /// The sum as one JSON object; with --dry-run before it a line for each letter.
        #[arg(long)]
        json: bool,
    },
    /// Delete letters for good. Without --state only those that are replayed or ignored.
    Purge {
        #[command(flatten)]
        filter: FilterArguments,
        /// Do it. Without it: say how many it would be.
        #[arg(long)]
        yes: bool,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// Which letters.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Which letters")]
struct FilterArguments {
    /// Arrived since then: 2026-11-20T10:00:00Z, or a duration before now: 90s, 15m, 2h, 7d.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Arrived before then; written as --since.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Published on a topic that this MQTT filter matches, as in 'tele/+/SENSOR' or 'shellies/#'.
    #[arg(long, value_name = "FILTER", value_parser = parse_topic)]
    topic: Option<String>,
    /// Refused for this reason; several with commas.
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    reason: Vec<String>,
    /// Taken by the route with this filter.
    #[arg(long, value_name = "FILTER")]
    route: Option<String>,
    /// Come by this broker, as mqtt-ingest's configuration names it.
    #[arg(long, value_name = "NAME")]
    broker: Option<String>,
    /// In this state: what the newest replay made of them.
    #[arg(long, value_enum)]
    state: Option<StateArgument>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StateArgument {
    /// Refused, or never replayed.
    Open,
    /// Their readings are in Kafka.
    Replayed,
    /// Nothing to store in them.
    Ignored,
    /// All of them.
    Any,
}

/// Where the letters are.
struct Place {
    settings: DatabaseSettings,
    patience: Patience,
}

// === impl Place ===

impl Place {
    async fn connect(&self) -> anyhow::Result<Client> {
        self.patience.connect(&self.settings, "wattlinectl dead-letters").await
    }
}

/// Does it, and writes the answer to `out` and what is beside it to `notes`.
///
/// # Errors
/// What is wrong, where, and what to do.
pub async fn run(
    arguments: Arguments,
    kafka: KafkaSettings,
    patience: Patience,
    mut out: impl Write,
    mut notes: impl Write,
) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let database = &Place { settings: arguments.database.settings()?, patience };
    match arguments.command {
        Command::List { filter, limit, json } => {
            let filter = filter.filter(now, &[State::Open])?;
            let (letters, more) = list(&database.connect().await?, &filter, limit).await?;
            if json {
                letters.iter().try_for_each(|letter| line(print::letter_json(letter), &mut out))?;
            } else {
                print::letters(&letters, &mut out)?;
            }
            note_more(more, limit, &mut notes)
        }
        Command::Show { key, payload, json } => {
            let (letter, bytes) = show(&database.connect().await?, &key).await?;
            if payload {
                out.write_all(&bytes).context(WRITE)
            } else if json {
                line(print::whole_json(&letter, &bytes), &mut out)
            } else {
                print::whole(&letter, &bytes, &mut out)
            }
        }
        Command::Count { filter, by, limit, json } => {
            let filter = filter.filter(now, &[State::Open])?;
            let (groups, more) = count(&database.connect().await?, &filter, &by, limit).await?;
            if json {
                groups.iter().try_for_each(|group| line(print::group_json(&by, group), &mut out))?;
            } else {
                print::groups(&by, &groups, &mut out)?;
            }
            note_more(more, limit, &mut notes)
        }
        Command::Replay { filter, routes, dry_run, limit, brokers, json } => {
            let request = Request { filter: filter.filter(now, &[State::Open])?, limit };
            let decoder = Decoder::new(routes.as_deref())?;
            if dry_run {
                return say_replay(database, decoder, &request, json, out).await;
            }
            let kafka = brokers.map_or(kafka.clone(), |brokers| KafkaSettings { brokers, ..kafka });
            do_replay(database, &kafka, decoder, &request, json, out, notes).await
        }
        Command::Purge { filter, yes, json } => do_purge(database, &filter, now, yes, json, out).await,
    }
}

async fn say_replay(
    database: &Place,
    mut decoder: Decoder,
    request: &Request,
    json: bool,
    mut out: impl Write,
) -> anyhow::Result<()> {
    let client = database.connect().await?;
    let report = replay::dry_run(&client, &mut decoder, request, |key, becomes| {
        if json {
            line(print::becomes_json(key, becomes), &mut out)
        } else {
            print::becomes(key, becomes, &mut out)
        }
    });
    let report = report.await?;
    say_report(&report, true, json, out)
}

async fn do_replay(
    database: &Place,
    kafka: &KafkaSettings,
    mut decoder: Decoder,
    request: &Request,
    json: bool,
    out: impl Write,
    mut notes: impl Write,
) -> anyhow::Result<()> {
    let mut client = database.connect().await?;
    let mut said = 0;
    let report = replay::replay(&mut client, kafka, &mut decoder, request, |report| {
        if report.letters / 100_000 > said {
            said = report.letters / 100_000;
            // Only how far it is: who closed standard error doesn't want to know.
            let _ = writeln!(notes, "{}", print::report(report, false));
        }
    });
    let report = report.await?;
    say_report(&report, false, json, out)
}

async fn do_purge(
    database: &Place,
    filter: &FilterArguments,
    now: Timestamp,
    yes: bool,
    json: bool,
    mut out: impl Write,
) -> anyhow::Result<()> {
    let filter = filter.filter(now, &[State::Replayed, State::Ignored])?;
    if filter.is_unbounded() {
        bail!(
            "purge needs a filter: --since, --until, --topic, --reason, --route or --broker; all that are done with and older \
             than a month, for one: --until 30d"
        );
    }
    let client = database.connect().await?;
    if !yes {
        let count = purge::would_delete(&client, &filter).await?;
        bail!("{count} letters would be deleted for good: say --yes to do it");
    }
    let deleted = purge::purge(&client, &filter).await?;
    if json {
        line(Map::from_iter([("deleted".to_owned(), Value::from(deleted))]), &mut out)
    } else {
        writeln!(out, "deleted {deleted} letters").context(WRITE)
    }
}

fn say_report(report: &replay::Report, dry_run: bool, json: bool, mut out: impl Write) -> anyhow::Result<()> {
    if json {
        serde_json::to_writer(&mut out, report).context(WRITE)?;
        writeln!(out).context(WRITE)
    } else {
        writeln!(out, "{}", print::report(report, dry_run)).context(WRITE)
    }
}

fn line(document: Map<String, Value>, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "{}", Value::Object(document)).context(WRITE)
}

fn note_more(more: bool, limit: u32, notes: &mut impl Write) -> anyhow::Result<()> {
    if more {
        writeln!(notes, "these are {limit}; there are more: --limit N").context(WRITE)?;
    }
    Ok(())
}

// === impl FilterArguments ===

impl FilterArguments {
    /// `usual`: the states that are meant where none is said.
    fn filter(&self, now: Timestamp, usual: &[State]) -> anyhow::Result<Filter> {
        let time = |text: &Option<String>, option: &str| {
            let time = text.as_deref().map(|text| parse_time(text, now)).transpose();
            time.map_err(|error| anyhow::anyhow!("{option}: {error}"))
        };
        let states = match self.state {
            None => usual.to_vec(),
            Some(StateArgument::Open) => vec![State::Open],
            Some(StateArgument::Replayed) => vec![State::Replayed],
            Some(StateArgument::Ignored) => vec![State::Ignored],
            Some(StateArgument::Any) => Vec::new(),
        };
        let filter = Filter {
            since: time(&self.since, "--since")?,
            until: time(&self.until, "--until")?,
            topic: self.topic.clone(),
            reasons: self.reason.clone(),
            route: self.route.clone(),
            broker: self.broker.clone(),
            states,
        };
        if let (Some(since), Some(until)) = (filter.since, filter.until)
            && since >= until
        {
            bail!("--since {since} is not before --until {until}: no letter can be meant");
        }
        Ok(filter)
    }
}
