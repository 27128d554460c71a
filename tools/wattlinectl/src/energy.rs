//! Energy of readings from a file, without any server: `wattlinectl energy`.

mod answer;
mod input;
mod instant;
mod print;
mod reading;
mod settings;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use wattline_energy::calendar::{Calendar, Resolution, Tz};
use wattline_reading::Timestamp;

pub use answer::{Answer, Question, answer};
pub use input::Document;

/// No larger file is read.
const INPUT_BYTES_MAX: u64 = 256 << 20;

/// What `wattlinectl energy` is asked.
#[derive(Args, Debug)]
pub struct Arguments {
    /// JSON with readings: a file, or `-` for standard input. docs/energy.md says what is in it.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// How wide buckets are: 1m, 5m, 15m, 30m, 1h, 1d, 1w, 1mo or 1y.
    #[arg(long, value_name = "WIDTH", value_parser = resolution)]
    resolution: Resolution,
    /// Whose days and hours: an IANA time zone such as Europe/Athens.
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    zone: Tz,
    /// From here on: a time as in 2026-11-20T00:00:00Z, or a date in the zone. A bucket that is cut is given whole.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Moment,
    /// Up to here.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Moment,
    /// How the answer is written; a table has the buckets, or the home's where there is a home.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Months are billing periods that begin on this day, 1 to 28.
    #[arg(long, value_name = "DAY")]
    billing_day: Option<u32>,
    /// Answer as of this instant: what has elapsed, who is silent, what power the registers tell.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    now: Option<Moment>,
    /// Say on standard error what was decided on the way, by which rule and with which numbers.
    #[arg(long)]
    explain: bool,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A list of objects, or an object of such lists.
    Json,
    /// A table with a header.
    Csv,
}

/// A time, or a date in a zone that is told apart from it.
#[derive(Clone, Copy, Debug)]
enum Moment {
    At(Timestamp),
    Date(chrono::NaiveDate),
}

/// Answers on `out`; `notes` gets the explanations and what is to be said besides.
///
/// # Errors
/// What is wrong with the input or the question, where, and what to do.
pub fn run(
    arguments: &Arguments,
    stdin: impl Read,
    out: impl Write,
    mut notes: impl Write,
) -> anyhow::Result<()> {
    let text = read(&arguments.input, stdin)?;
    let document = Document::parse(&text).with_context(|| arguments.input.display().to_string())?;
    let question = arguments.question()?;
    let answer = answer(&document, &question)?;
    for note in &answer.notes {
        if arguments.explain || note.is_warning {
            writeln!(notes, "{}", note.text).context(crate::print::WRITE)?;
        }
    }
    match arguments.format {
        Format::Json => print::json(&answer, out),
        Format::Csv => print::csv(&answer, out),
    }
}

fn read(path: &Path, stdin: impl Read) -> anyhow::Result<String> {
    let is_stdin = path == Path::new("-");
    let mut text = String::new();
    let size = if is_stdin {
        stdin.take(INPUT_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        file.take(INPUT_BYTES_MAX + 1).read_to_string(&mut text)
    };
    let size = size.with_context(|| format!("cannot read {} as UTF-8", path.display()))?;
    if u64::try_from(size)? > INPUT_BYTES_MAX {
        bail!("{} has more than {} MiB: split it by meter", path.display(), INPUT_BYTES_MAX >> 20);
    }
    Ok(text)
}

// === impl Arguments ===

impl Arguments {
    fn question(&self) -> anyhow::Result<Question> {
        let Self { resolution, zone, .. } = *self;
        if self.billing_day.is_some() && resolution != Resolution::Month {
            bail!("--billing-day is about months: say --resolution 1mo with it");
        }
        let calendar = Calendar { zone, billing_day: self.billing_day.unwrap_or(1) };
        let us = |moment: Moment| match moment {
            Moment::At(time) => time.micros(),
            Moment::Date(date) => calendar.first_instant_us(date),
        };
        let (from_us, to_us) = (us(self.from), us(self.to));
        Ok(Question { calendar, resolution, from_us, to_us, now_us: self.now.map(us) })
    }
}

fn resolution(word: &str) -> Result<Resolution, String> {
    Resolution::from_word(word).ok_or_else(|| "one of 1m, 5m, 15m, 30m, 1h, 1d, 1w, 1mo, 1y".to_owned())
}

fn zone(name: &str) -> Result<Tz, String> {
    name.parse().map_err(|_| "no such time zone: write one of IANA's as in Europe/Athens or UTC".to_owned())
}

fn moment(text: &str) -> Result<Moment, String> {
    if let Some(time) = Timestamp::parse_rfc3339(text) {
        return Ok(Moment::At(time));
    }
    let date = text.parse().map(Moment::Date);
    date.map_err(|_| "write a time as in 2026-11-20T00:00:00Z, or a date as in 2026-11-20".to_owned())
}

#[cfg(test)]
#[path = "energy_tests.rs"]
mod tests;
