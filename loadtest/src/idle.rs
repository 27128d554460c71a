//! What each process uses while nothing is sent.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;
use wattline_reading::Timestamp;

use crate::books::backlog;
use crate::conditions::Conditions;
use crate::costs;
use crate::processes::{Machine, Usage, Watcher};
use crate::report::date;
use crate::target::Target;

/// What an idle stack costs.
#[derive(Clone, Debug, Serialize)]
pub struct Idle {
    /// When it began.
    pub date: String,
    /// Where it ran.
    pub machine: Machine,
    /// How durable its servers were.
    pub conditions: Conditions,
    /// What was used meanwhile.
    pub usage: Usage,
}

/// What comes after a load has its time first: a refresh of rollups, a checkpoint.
const REST: Duration = Duration::from_secs(3);

/// Watches an idle stack.
///
/// # Errors
/// Where the stack can't be used or isn't idle.
pub async fn run(target: &Target, duration: Duration, now: Timestamp) -> anyhow::Result<Idle> {
    let client = target.connect().await?;
    ensure!(backlog(&target.kafka, &client).await? == 0, "the stack is not idle: the sink is behind");
    let conditions = Conditions::read(&client, target).await?;
    // A connection more than a stack without visitors has.
    drop(client);
    tokio::time::sleep(REST).await;
    let watcher = Watcher::start(&target.processes, &[]);
    tokio::time::sleep(duration).await;
    let usage = watcher.finish().await?;
    Ok(Idle { date: date(now), machine: Machine::this()?, conditions, usage })
}

// === impl Idle ===

impl Idle {
    /// The report for people.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        self.write(&mut out).map(|()| out).unwrap_or_default()
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "# Idle: {:.0} s without a message\n", self.usage.elapsed_s)?;
        writeln!(out, "{}; {}; servers, services and this program on one machine.", self.date, self.machine)?;
        writeln!(out, "{}\n", self.conditions)?;
        costs::write(out, &self.usage, None)
    }
}
