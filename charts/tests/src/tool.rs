//! Programs that are run to their end: helm and kubectl.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Longer than any wait that helm or kubectl is told.
const DEADLINE: Duration = Duration::from_secs(600);

/// What kubectl says when a busy API server did not even take its connection: nothing was asked, so it may ask again.
const NOT_CONNECTED: &str = "Unable to connect to the server: net/http: TLS handshake timeout";
const TRIES: usize = 10;

/// A program and the environment that it is run in.
#[derive(Clone, Debug)]
pub struct Tool {
    program: PathBuf,
    environment: Vec<(String, String)>,
}

/// What a program answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether it ended with 0.
    pub success: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    command: String,
}

// === impl Tool ===

impl Tool {
    /// The program that lies there.
    ///
    /// # Errors
    /// Where there is none.
    pub fn new(program: &Path, environment: &[(&str, &Path)]) -> Result<Self> {
        ensure!(program.exists(), "{} is missing", program.display());
        let environment =
            environment.iter().map(|(name, path)| ((*name).to_owned(), path.display().to_string()));
        Ok(Self { program: program.to_owned(), environment: environment.collect() })
    }

    /// Runs it, and fails when it does; returns its standard output.
    ///
    /// # Errors
    /// With what it said.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        self.ask(arguments, None).await?.ok()
    }

    /// The same with a text on its standard input.
    ///
    /// # Errors
    /// With what it said.
    pub async fn feed(&self, arguments: &[&str], input: &str) -> Result<String> {
        self.ask(arguments, Some(input)).await?.ok()
    }

    /// Runs it and takes its refusal for an answer.
    ///
    /// # Errors
    /// Where it can't be run, or doesn't end.
    pub async fn ask(&self, arguments: &[&str], input: Option<&str>) -> Result<Answer> {
        let mut answer = self.ask_once(arguments, input).await?;
        for _ in 1..TRIES {
            if answer.success || !answer.stderr.contains(NOT_CONNECTED) {
                break;
            }
            answer = self.ask_once(arguments, input).await?;
        }
        Ok(answer)
    }

    async fn ask_once(&self, arguments: &[&str], input: Option<&str>) -> Result<Answer> {
        let name = self.program.file_name().unwrap_or_default().to_string_lossy();
        let command = format!("{name} {}", arguments.join(" "));
        let asking = async {
            let mut child = Command::new(&self.program)
                .args(arguments)
                .envs(self.environment.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .kill_on_drop(true)
                .spawn()?;
            let mut stdin = child.stdin.take().context("no standard input")?;
            // Both at once: a program may answer before it has read everything.
            let feeding = async {
                // A program that doesn't want its input says why by its exit code.
                let _ = stdin.write_all(input.unwrap_or_default().as_bytes()).await;
                drop(stdin);
            };
            let ((), output) = tokio::join!(feeding, child.wait_with_output());
            anyhow::Ok(output?)
        };
        let output = tokio::time::timeout(DEADLINE, asking).await;
        let output = output.with_context(|| format!("{command}: no end in {} s", DEADLINE.as_secs()))?;
        let output = output.with_context(|| format!("cannot run {command}"))?;
        Ok(Answer {
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            command,
        })
    }

    /// Runs it and reads its answer as JSON.
    ///
    /// # Errors
    /// Where it fails or answers something else.
    pub async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.run(arguments).await?;
        serde_json::from_str(&text).with_context(|| format!("no JSON from {arguments:?}: {text}"))
    }

    /// The items of a list, as from `kubectl get … -o json`.
    ///
    /// # Errors
    /// As [`Tool::json`].
    pub async fn items(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        match self.json(arguments).await?["items"].take() {
            Value::Array(items) => Ok(items),
            _ => bail!("no list from {arguments:?}"),
        }
    }
}

// === impl Answer ===

impl Answer {
    /// Its standard output.
    ///
    /// # Errors
    /// When it failed, with what it said.
    pub fn ok(self) -> Result<String> {
        ensure!(self.success, "{self}");
        Ok(self.stdout)
    }

    /// Everything it said, when it refused and named each of the words: the words that a person finds the cause by.
    ///
    /// # Errors
    /// When it didn't refuse, or gave another reason.
    pub fn refusal(&self, words: &[&str]) -> Result<String> {
        ensure!(!self.success, "was not refused: {self}");
        let said = format!("{}{}", self.stdout, self.stderr);
        for word in words {
            ensure!(said.contains(word), "was refused, but not with {word:?}: {self}");
        }
        Ok(said)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = if self.success { "succeeded" } else { "failed" };
        write!(formatter, "{} {outcome}: {}{}", self.command, self.stderr.trim(), self.stdout.trim())
    }
}
