//! What an error tells a person to run, run as it stands: tests of errors do what their texts say.

use anyhow::Context;
use clap::{Args, Command, FromArgMatches};
use wattline_service::KafkaSettings;

use super::command::{self, Arguments};
use crate::patience::Patience;

/// Runs the first `wattlinectl offsets …` between backticks in a text, with these servers; gives what it prints.
///
/// # Errors
/// Where there is none, where it is none that `wattlinectl` would take, and what the command says.
pub async fn obey(text: &str, brokers: &str, database_url: &str) -> anyhow::Result<String> {
    const BEGIN: &str = "`wattlinectl offsets ";
    let from = text.find(BEGIN).with_context(|| format!("no {BEGIN}…` in: {text}"))? + BEGIN.len();
    let words = text[from..].split('`').next().unwrap_or_default().split_whitespace();
    let servers = ["--brokers", brokers, "--database", database_url];
    let line = Arguments::augment_args(Command::new("wattlinectl offsets").no_binary_name(true));
    let matches = line.try_get_matches_from(words.chain(servers)).with_context(|| text.to_owned())?;
    let mut out = Vec::new();
    let arguments = Arguments::from_arg_matches(&matches)?;
    command::run(arguments, KafkaSettings::default(), Patience::seconds(0), &mut out).await?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}
