//! What energy costs by the rules of `docs/tariffs.md`, without any server: `wattlinectl cost`.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use wattline_tariff::print;

/// As much as the library reads, and one byte more.
const INPUT_BYTES_MAX: u64 = (64 << 20) + 1;
/// `EX_DATAERR`: the input is at fault, and what is printed says where.
const REFUSED: u8 = 65;

/// What `wattlinectl cost` is asked.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Energies, prices, tariffs and agreements in one JSON object: a file, or `-` for standard input. docs/tariffs.md
    /// says what is in it.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// How the answer is written.
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// Take every quarter-hour of the range apart, at most a month.
    #[arg(long)]
    explain: bool,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// All of it, on one line.
    Json,
    /// A row for each line of each bucket.
    Csv,
    /// A bill that a person can check.
    Text,
}

/// Answers on `out`; the exit code says whether the input was refused.
///
/// # Errors
/// Where the file can't be read, or the answer not be written.
pub fn run(arguments: &Arguments, stdin: impl Read, mut out: impl Write) -> anyhow::Result<ExitCode> {
    let input = &arguments.input;
    let text = if input == Path::new("-") {
        read(stdin).context("cannot read standard input")?
    } else {
        let file = File::open(input).with_context(|| format!("cannot open {}", input.display()))?;
        read(file).with_context(|| format!("cannot read {}", input.display()))?
    };
    let format = match arguments.format {
        Format::Json => wattline_tariff::Format::Json,
        Format::Csv => wattline_tariff::Format::Csv,
        Format::Text => wattline_tariff::Format::Text,
    };
    let (text, code) = match print(&text, format, arguments.explain) {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(text) => (text, ExitCode::from(REFUSED)),
    };
    out.write_all(text.as_bytes()).context("cannot write the answer")?;
    Ok(code)
}

fn read(input: impl Read) -> anyhow::Result<String> {
    let mut text = String::new();
    let length = input.take(INPUT_BYTES_MAX).read_to_string(&mut text)?;
    if length as u64 == INPUT_BYTES_MAX {
        bail!("more than 64 MiB: ask for less at a time");
    }
    Ok(text)
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
