//! Which topic it is, and which partitions are ours: Kafka is asked beside the work.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{error, info, warn};
use wattline_service::kafka::ClientEnded;
use wattline_stream::ask::Topic;
use wattline_stream::watch::Change;
use wattline_stream::{Present, ask};

use super::Computer;
use crate::claim::{Claim, Claimer};
use crate::failure::{Failure, Outcome};
use crate::stream::State;

/// When Kafka is asked again that did not answer, or whose group has not.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// When a partition is claimed again that Kafka said nothing of.
const CLAIM_AGAIN_MS: u64 = 1_000;

impl Computer {
    /// A topic that was made anew has other offsets: everything ends, before a mark of the new one is computed against the
    /// sink's offset in the old one, and begins with a new client. Kafka is asked beside the work: while it is away, that
    /// goes on.
    pub(super) async fn check_identity(&mut self) {
        if self.asking.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(asking) = self.asking.take()
        {
            let answer = asking.await;
            self.take_identity(answer.unwrap_or_else(|error| Err(error.to_string())));
        }
        if self.asking.is_none() && self.due.identity <= Instant::now() {
            self.due.identity = Instant::now() + Duration::from_millis(self.config.input.identity_check_ms);
            let (member, name) = (Arc::clone(&self.member), self.config.input.readings_topic.clone());
            self.asking = Some(tokio::spawn(async move { ask::topic(&member, &name).await }));
        }
    }

    fn take_identity(&mut self, answer: Result<Topic, String>) {
        match answer {
            Ok(now) => {
                let name = &self.config.input.readings_topic;
                self.ended = match self.known.look(wattline_stream::Stream::Readings, name, now.clone()) {
                    Change::None => None,
                    Change::Anew(topic) => Some(ClientEnded::TopicAnew(topic)),
                    change @ Change::Partitions { .. } => Some(ClientEnded::Partitions(change.to_string())),
                };
                self.topic = Some(now);
                if self.stream.has_joined() {
                    self.kafka.holds();
                } else {
                    // The group answers soon.
                    self.due.identity = Instant::now() + ASK_AGAIN;
                }
            }
            Err(error) => {
                self.due.identity = Instant::now() + ASK_AGAIN;
                warn!("Kafka does not tell the topic's identity: {error}");
                self.kafka.fails(error);
            }
        }
    }

    /// Asks Kafka about the partitions whose claim is due; one without a leader keeps nobody else waiting.
    pub(super) fn ask_for_assigned(&mut self) {
        if self.topic.is_none() {
            return;
        }
        let now_ms = self.stream.now().steady_ms;
        let due = |state: &State| match state {
            State::Owned => false,
            State::Assigned(at_ms) | State::Stopped(at_ms, _) => *at_ms <= now_ms,
        };
        let partitions = self.stream.lock();
        let claims: Vec<wattline_stream::Claim> = self
            .stream
            .assignments()
            .held()
            .into_iter()
            .filter(|(id, _)| partitions.get(&id.number).is_some_and(|entry| due(&entry.state)))
            .filter(|(_, assignment)| self.asked.insert(*assignment))
            // What the sink has read and Kafka lost is the sink's to find: nothing is computed that it has not stored.
            .map(|(partition, assignment)| wattline_stream::Claim {
                partition,
                assignment,
                is_another_log: false,
            })
            .collect();
        drop(partitions);
        self.asking_claims.ask(&self.member, &self.offsets.topics, claims);
    }

    /// Claims the partitions about which Kafka has answered. A claim that fails is that partition's alone, unless the
    /// database is at fault.
    pub(super) async fn claim_asked(&mut self) -> Outcome<()> {
        while let Some((claim, answer)) = self.asking_claims.try_next() {
            self.asked.remove(&claim.assignment);
            let id = claim.partition.number;
            let claimed = match answer {
                Ok(present) => self.claim(claim, &present).await,
                Err(text) => Err(Failure::Other(anyhow::anyhow!(text))),
            };
            let claimed = match claimed {
                Ok(claimed) => claimed,
                Err(failure @ Failure::Other(_)) => {
                    warn!(partition = id, "partition {id} is not claimed yet: {failure}");
                    self.stream.claim_again(id, self.stream.now().steady_ms + CLAIM_AGAIN_MS);
                    continue;
                }
                Err(failure) if failure.is_lock_timeout() => {
                    warn!(partition = id, "partition {id} is not claimed yet: {failure}");
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let now_ms = self.stream.now().steady_ms;
            let mut partitions = self.stream.lock();
            // Taken back in the meantime: its next owner changes the row.
            if !self.stream.assignments().holds(claim.partition, claim.assignment) {
                continue;
            }
            let Some(entry) = partitions.get_mut(&id) else { continue };
            match claimed {
                Claim::Owned { next_offset, lost } => {
                    info!(partition = id, next_offset, "partition {id} is ours from offset {next_offset} on");
                    self.metrics.lost.inc_by(u64::try_from(lost).unwrap_or(0));
                    entry.own(next_offset);
                }
                Claim::Refused(why) => {
                    error!(partition = id, "partition {id} is stopped: {why}");
                    entry.state = State::Stopped(now_ms + self.config.recompute.retry_stopped_ms, why);
                }
            }
        }
        Ok(())
    }

    async fn claim(&mut self, claim: wattline_stream::Claim, present: &Present) -> Outcome<Claim> {
        let Self { config, member, offsets, blockers, session, .. } = self;
        let Some(session) = session else {
            return Err(Failure::Other(anyhow::anyhow!("there is no connection to the database")));
        };
        Claimer { config, member, offsets, blockers }.claim(session, claim, present).await
    }
}
