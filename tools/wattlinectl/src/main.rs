//! `wattlinectl`: the operator's command.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use wattline_reading::Timestamp;
use wattline_service::{DatabaseSettings, KafkaSettings};
use wattlinectl::patience::Patience;
use wattlinectl::{audit, cost, dead_letters, decode, energy, migrate, offsets, smoke, topics};

/// Sets up and looks after a Wattline installation.
#[derive(Parser)]
// In its image the program has another name than people know it by.
#[command(version, bin_name = "wattlinectl")]
struct Arguments {
    /// How long a server that can't be reached is tried again for, in s. One that refuses is believed at once.
    #[arg(
        long,
        env = "WATTLINECTL_SERVER_WAIT_S",
        value_name = "SECONDS",
        default_value_t = 30,
        global = true,
        help_heading = "Servers"
    )]
    server_wait_s: u64,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring the database to this version's schema and roles; safe to repeat, also by two at once.
    Migrate {
        #[command(flatten)]
        database: DatabaseArguments,
        /// Set a role's password from a file, as in `wattline_sink=/run/secrets/sink`; may be given several times.
        #[arg(long, value_name = "ROLE=FILE", value_parser = role_password)]
        role_password: Vec<(String, PathBuf)>,
    },
    /// Create the Kafka topics, and set right what exists; safe to repeat, also by two at once.
    Topics {
        /// Addresses to begin with, `host:port`, separated by commas.
        #[arg(long, env = "WATTLINE__KAFKA__BROKERS")]
        brokers: String,
        /// Copies of each record; 3 where there are three brokers.
        #[arg(long, default_value_t = 1)]
        replication_factor: i32,
    },
    /// Recompute energy from the raw readings and compare it with what is stored; fails where they differ.
    Audit {
        #[command(flatten)]
        database: DatabaseArguments,
        /// One meter, by default from its first reading to its last; else a random day of random meters.
        #[arg(long, value_name = "ID")]
        meter: Option<String>,
        /// From this time on, as in 2026-11-20T00:00:00Z.
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<Timestamp>,
        /// Up to this time.
        #[arg(long, value_name = "TIME", value_parser = time)]
        to: Option<Timestamp>,
        /// How many random meters.
        #[arg(long, value_name = "N", default_value_t = 10, conflicts_with = "meter")]
        sample: u32,
        /// How long the aggregator may take to get where the sink is now, in s.
        #[arg(long, value_name = "SECONDS", default_value_t = 180)]
        wait_s: u64,
    },
    /// Messages that could not become readings: find, repair and replay them. docs/dead-letters.md says how.
    ///
    /// Connect as wattline_operator, or as the owner.
    DeadLetters(dead_letters::command::Arguments),
    /// Where the consumers stand in Kafka, and what to do when Kafka no longer has what they have read.
    ///
    /// Connect as wattline_operator, or as the owner.
    Offsets(offsets::command::Arguments),
    /// Publish one reading as a meter would, and wait until the API answers with it.
    Smoke(smoke::Arguments),
    /// Compute the energy of readings from a file, by the rules of docs/energy.md. No server is needed.
    Energy(energy::Arguments),
    /// Say what energy costs, from a file with energies, prices, tariffs and agreements, by the rules of docs/tariffs.md. No
    /// server is needed.
    Cost(cost::Arguments),
    /// Say what ingest would make of a message: one payload from standard input, one JSON object out. No server is
    /// needed.
    Decode {
        /// The topic it was published on.
        #[arg(long, required_unless_present = "batch")]
        topic: Option<String>,
        /// Configuration file of mqtt-ingest, for its routes and limits. Without it: the defaults.
        #[arg(long, value_name = "FILE")]
        routes: Option<PathBuf>,
        /// When it arrived (RFC 3339). Without it: now.
        #[arg(long, value_name = "TIME", value_parser = time)]
        at: Option<Timestamp>,
        /// The broker delivered it with the RETAIN flag.
        #[arg(long)]
        retained: bool,
        /// The broker it came by, as the configuration names it: brokers may have routes of their own.
        #[arg(long, value_name = "NAME")]
        broker: Option<String>,
        /// Read JSON lines with `topic`, `payload` or `payload_base64`, and if wanted `at`, `retained` and `broker`;
        /// answer line by line.
        #[arg(long, conflicts_with_all = ["topic", "retained", "broker"])]
        batch: bool,
    },
}

/// How to reach the database as its owner.
#[derive(clap::Args)]
struct DatabaseArguments {
    /// `postgres://owner@host:port/database`
    #[arg(long = "database", env = "WATTLINE__DATABASE__URL")]
    url: String,
    /// File that holds the password.
    #[arg(long, env = "WATTLINE__DATABASE__PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    /// Authorities that sign the server's certificate (PEM).
    #[arg(long, env = "WATTLINE__DATABASE__TLS_ROOT_FILE")]
    tls_root_file: Option<PathBuf>,
}

#[tokio::main]
#[expect(clippy::print_stderr, reason = "a command speaks to its user")]
async fn main() -> ExitCode {
    let Arguments { server_wait_s, command } = Arguments::parse();
    match run(command, Patience::seconds(server_wait_s)).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("wattlinectl: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "a command speaks to its user")]
async fn run(command: Command, patience: Patience) -> anyhow::Result<ExitCode> {
    match command {
        Command::Migrate { database, role_password } => {
            let database = database.into();
            drop(patience.connect(&database, "wattlinectl").await?);
            let applied = migrate::migrate(&database, &role_password).await?;
            match applied.as_slice() {
                [] => println!("the schema is up to date"),
                applied => println!("applied {} migrations: {applied:?}", applied.len()),
            }
        }
        Command::Decode { topic, routes, at, retained, broker, batch } => {
            let at = at.unwrap_or_else(Timestamp::now);
            let mut decoder = decode::Decoder::new(routes.as_deref())?;
            let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
            if batch {
                decoder.decode_batch(at, input, output)?;
            } else {
                let topic = topic.unwrap_or_default();
                let message = decode::Message { topic, payload: Vec::new(), at, retained, broker };
                decoder.decode_one(message, input, output)?;
            }
        }
        Command::DeadLetters(arguments) => {
            let (output, notes) = (std::io::stdout().lock(), std::io::stderr().lock());
            dead_letters::command::run(arguments, environment_kafka()?, patience, output, notes).await?;
        }
        Command::Energy(arguments) => {
            let (output, notes) = (std::io::stdout().lock(), std::io::stderr().lock());
            energy::run(&arguments, std::io::stdin().lock(), output, notes)?;
        }
        Command::Cost(arguments) => return cost::run(&arguments, std::io::stdin(), std::io::stdout().lock()),
        Command::Offsets(arguments) => {
            offsets::command::run(arguments, environment_kafka()?, patience, std::io::stdout().lock())
                .await?;
        }
        Command::Smoke(arguments) => {
            let taken = smoke::smoke(&arguments).await?;
            println!("the reading was there {} ms after the broker had it", taken.as_millis());
        }
        Command::Topics { brokers, replication_factor } => {
            let settings = KafkaSettings { brokers, ..environment_kafka()? };
            let brokers_min =
                usize::try_from(replication_factor).context("--replication-factor is below 0")?;
            patience.await_kafka(&settings, brokers_min).await?;
            for line in topics::create_with(&settings, replication_factor).await? {
                println!("{line}");
            }
        }
        Command::Audit { database, meter, from, to, sample, wait_s } => {
            let wait = Duration::from_secs(wait_s);
            let request = audit::Request { meter, from, to, sample, wait, ..audit::Request::default() };
            let database = database.into();
            drop(patience.connect(&database, "wattlinectl audit").await?);
            let report = audit::audit(&database, &request).await?;
            for (meter, mismatch) in &report.mismatches {
                println!("{meter}: {mismatch}");
            }
            println!("compared {} buckets of {} meters", report.buckets, report.meters);
            if report.too_late {
                bail!("the aggregator did not get where the sink was within {wait_s} s: is it running?");
            }
            if !report.mismatches.is_empty() {
                bail!("{} buckets are not what their readings give", report.mismatches.len());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "write a time as in 2026-11-20T00:00:00Z".to_owned())
}

fn role_password(text: &str) -> Result<(String, PathBuf), String> {
    let (role, file) = text.split_once('=').ok_or("write ROLE=FILE")?;
    Ok((role.to_owned(), PathBuf::from(file)))
}

/// Security settings of Kafka come from the same variables as in the services.
fn environment_kafka() -> anyhow::Result<KafkaSettings> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Environment {
        kafka: KafkaSettings,
        service: wattline_service::ServiceSettings,
    }
    impl wattline_service::ServiceConfig for Environment {
        fn service(&self) -> &wattline_service::ServiceSettings {
            &self.service
        }
    }
    let environment: Environment = wattline_service::config::load(None).context("WATTLINE__KAFKA__…")?;
    Ok(environment.kafka)
}

impl From<DatabaseArguments> for DatabaseSettings {
    fn from(arguments: DatabaseArguments) -> Self {
        Self {
            url: arguments.url,
            password_file: arguments.password_file,
            tls_root_file: arguments.tls_root_file,
            ..Self::default()
        }
    }
}
