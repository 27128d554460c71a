//! What is said while the story goes on, and in the end.

use std::fmt::Write as _;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// The steps so far.
#[derive(Debug, Default)]
pub struct Report {
    steps: Vec<Step>,
    fit: String,
}

#[derive(Debug)]
struct Step {
    name: String,
    took: Duration,
    shown: String,
}

// === impl Report ===

impl Report {
    /// Does a step, says how long it took and what it showed.
    ///
    /// # Errors
    /// The step's, under its name.
    pub async fn step(&mut self, name: &str, work: impl Future<Output = Result<String>>) -> Result<()> {
        let start = Instant::now();
        let shown = work.await.with_context(|| name.to_owned())?;
        let step = Step { name: name.to_owned(), took: start.elapsed(), shown };
        say(&format!("{:>6.1} s  {}: {}", step.took.as_secs_f64(), step.name, step.shown));
        self.steps.push(step);
        Ok(())
    }

    /// Keeps what the environments ask for, a table in Markdown.
    pub fn keep_fit(&mut self, table: String) {
        self.fit = table;
    }

    /// All steps as a table in Markdown, and what the environments ask for as another one.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = "| step | s | shown |\n| --- | --- | --- |\n".to_owned();
        for step in &self.steps {
            // Writing to a string can't fail.
            let _ = writeln!(table, "| {} | {:.1} | {} |", step.name, step.took.as_secs_f64(), step.shown);
        }
        let whole: Duration = self.steps.iter().map(|step| step.took).sum();
        let _ =
            writeln!(table, "| the whole story | {:.0} | {} steps |", whole.as_secs_f64(), self.steps.len());
        format!("{table}\n{}", self.fit)
    }
}

/// A line for whoever watches.
#[expect(clippy::print_stdout, reason = "the program's answer")]
pub fn say(line: &str) {
    println!("{line}");
}
