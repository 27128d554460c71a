//! What energy costs by the rules of `docs/tariffs.md`, without any server: `wattlinectl cost`.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use wattline_tariff::print;

/// As much as the library reads, and one byte more.
const INPUT_BYTES_MAX: u64 = (64 << 20) + 1;
/// `EX_DATAERR`: the input is at fault, and what is printed says where.
const REFUSED: u8 = 65;

/// How an answer is written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Format {
    /// All of it, on one line.
    Json,
    /// A row for each line of each bucket.
    Csv,
    /// A bill that a person can check.
    Text,
}

/// Answers one input from a file, or from standard input where it is `-`; the exit code says whether it was refused.
///
/// # Errors
/// Where the file can't be read, or the answer not be written.
pub fn cost(input: &Path, format: Format, explain: bool, mut output: impl Write) -> anyhow::Result<ExitCode> {
    let text = if input == Path::new("-") {
        read(std::io::stdin().lock()).context("cannot read standard input")?
    } else {
        let file = File::open(input).with_context(|| format!("cannot open {}", input.display()))?;
        read(file).with_context(|| format!("cannot read {}", input.display()))?
    };
    let format = match format {
        Format::Json => wattline_tariff::Format::Json,
        Format::Csv => wattline_tariff::Format::Csv,
        Format::Text => wattline_tariff::Format::Text,
    };
    let (text, code) = match print(&text, format, explain) {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(text) => (text, ExitCode::from(REFUSED)),
    };
    output.write_all(text.as_bytes()).context("cannot write the answer")?;
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
mod tests {
    use super::*;

    const QUESTION: &str = r#"{
        "zone": "UTC", "range": ["2026-06-10T00:00:00Z", "2026-06-10T01:00:00Z"],
        "meters": [{"id": "grid", "role": "grid", "runs": [
            {"from": "2026-06-10T00:00:00Z", "to": "2026-06-10T01:00:00Z", "import_mwh": [250000]}]}],
        "tariffs": [{"id": "t", "kind": "supply", "currency": "EUR", "versions": [
            {"from": "2026-01-01", "vat": "20", "components": [{"id": "e", "kind": "energy", "price": "0.25"}]}]}],
        "agreements": [{"id": "a", "tariff": "t", "from": "2026-01-01"}]
    }"#;

    fn answer(input: &str) -> (String, ExitCode) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), input).unwrap();
        let mut output = Vec::new();
        let code = cost(file.path(), Format::Json, false, &mut output).unwrap();
        (String::from_utf8(output).unwrap(), code)
    }

    #[test]
    fn a_kwh_costs_its_price_and_vat() {
        let (text, code) = answer(QUESTION);
        assert!(
            text.contains(r#""amounts":[{"currency":"EUR","amount":"0.300000","vat":"0.050000"}]"#),
            "{text}"
        );
        assert_eq!(code, ExitCode::SUCCESS);
    }

    #[test]
    fn what_is_refused_has_the_exit_code_of_bad_data() {
        let (text, code) = answer(&QUESTION.replace("supply", "electric"));
        assert!(
            text.starts_with(r#"{"errors":[{"code":"kind_unknown","where":"tariffs[0].kind","cure":"#),
            "{text}"
        );
        assert_eq!(code, ExitCode::from(REFUSED));
        assert!(cost(Path::new("/absent"), Format::Text, false, Vec::new()).is_err());
    }
}
