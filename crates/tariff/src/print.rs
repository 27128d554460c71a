//! Answers as text: JSON for programs, CSV for tables, a bill for people.

mod csv;
mod table;
mod text;

use serde::Serialize;

use crate::{Answer, Question, Refusal, cost, read};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// All of it, on one line.
    Json,
    /// A row for each line of each bucket.
    Csv,
    /// A bill that a person can check.
    Text,
}

/// The answer to an input, or why it is refused, as it is printed. `explain`: every quarter-hour is taken apart.
///
/// # Errors
/// The text that says what is wrong, where, and what to do about it.
pub fn print(input: &str, format: Format, explain: bool) -> Result<String, String> {
    let asked = read(input).and_then(|mut question| {
        if explain {
            question.explain_all().map_err(|refusal| vec![refusal])?;
        }
        cost(&question).map(|answer| (question, answer)).map_err(|refusal| vec![refusal])
    });
    match asked {
        Ok((question, answer)) => Ok(written(&question, &answer, format)),
        Err(refusals) => Err(refused(&refusals, format)),
    }
}

fn written(question: &Question, answer: &Answer, format: Format) -> String {
    match format {
        Format::Json => json(answer),
        Format::Csv => csv::csv(answer),
        Format::Text => text::text(question, answer),
    }
}

fn refused(errors: &[Refusal], format: Format) -> String {
    #[derive(Serialize)]
    struct Errors<'a> {
        errors: &'a [Refusal],
    }
    if format != Format::Text {
        return json(&Errors { errors });
    }
    let line = |refusal: &Refusal| {
        format!("{}: {}\n  {}\n", refusal.place, <&str>::from(refusal.code), refusal.code.cure())
    };
    errors.iter().map(line).collect()
}

/// Maps with text as keys and numbers that are whole: nothing in it can fail to be written.
fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).unwrap_or_default();
    text.push('\n');
    text
}
