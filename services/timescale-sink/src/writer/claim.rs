//! Taking partitions on: what Kafka says of them, compared with their offset rows. Kafka is asked beside the writing, so a
//! partition without a leader delays nobody else.

use std::collections::HashSet;
use std::time::Duration;

use tracing::{info, warn};
use wattline_stream::{Claim, Mark, Partition, Present, Taken};

use super::Writer;
use crate::failure::{Class, Failure};
use crate::metrics::{ErrorClass, Stage};
use crate::outcome::{self, Outcome};
use crate::session::Session;
use crate::work::Answer;
use crate::write::Writing;

/// When a claim that failed for a passing reason is tried again.
pub(super) const CLAIM_RETRY: Duration = Duration::from_secs(1);

impl Writer {
    /// Asks Kafka about partitions; each goes on in [`Writer::claim`].
    pub(super) fn ask(&mut self, claims: Vec<Claim>) {
        // While a partition was someone else's, they may have stored newer readings of its meters.
        let claimed: HashSet<Partition> = claims.iter().map(|claim| claim.partition).collect();
        let assignments = &self.assignments;
        self.writing.meters.retain(|partition| assignments.has(partition) && !claimed.contains(&partition));
        self.asking.ask(&self.consumer, &self.writing.offsets.topics, claims);
    }

    /// Takes a partition on, now that Kafka has answered.
    pub(super) async fn claim(&mut self, claim: Claim, present: Result<Present, String>) {
        let Claim { partition, assignment, .. } = claim;
        if self.stop.is_cancelled() || !self.assignments.holds(partition, assignment) {
            return;
        }
        let taken = match present {
            Ok(present) => self.try_claim(claim, &present).await,
            Err(error) => Err(Failure::Kafka(error)),
        };
        let answer = match taken {
            Ok((outcome, mark)) => {
                self.show_claimed(&outcome);
                Answer::Claimed(claim, outcome.next_offset, mark)
            }
            Err(failure) => Answer::Again(partition, assignment, self.claim_again(partition, &failure)),
        };
        self.answer(answer).await;
        self.show_stopped();
    }

    fn show_claimed(&self, outcome: &Outcome) {
        let Outcome { partition, next_offset, lost, .. } = *outcome;
        let Partition { stream, number } = partition;
        self.health.database(self.index, None);
        self.health.goes_on(partition);
        self.metrics.outcome(outcome);
        if lost > 0 {
            warn!(?partition, lost, "{stream:?} {number}: {lost} records were no longer in Kafka in all");
        }
        info!(?partition, offset = next_offset, "{stream:?} {number} goes on at offset {next_offset}");
    }

    /// When a claim that failed is tried again.
    fn claim_again(&self, partition: Partition, failure: &Failure) -> Duration {
        match failure {
            Failure::Kafka(error) => {
                self.metrics.error(Stage::Claiming, ErrorClass::Transient);
                self.health.kafka(Some(error.clone()));
                warn!(?partition, "cannot take on {:?} {}: {error}", partition.stream, partition.number);
                CLAIM_RETRY
            }
            _ if failure.class() == Class::Transient => {
                self.transient(Stage::Claiming, failure);
                CLAIM_RETRY
            }
            _ => self.stop_partition(partition, Stage::Claiming, failure.to_string()),
        }
    }

    async fn try_claim(
        &mut self,
        claim: Claim,
        present: &Present,
    ) -> Result<(Outcome, Option<Mark>), Failure> {
        let mut session = self.take_session().await?;
        let timeout = Duration::from_millis(self.config.store.flush_timeout_ms);
        let claiming = tokio::time::timeout(timeout, self.claim_through(&mut session, claim, present)).await;
        match claiming.unwrap_or(Err(Failure::Timeout(timeout))) {
            Ok(claimed) => {
                self.session = Some(session);
                Ok(claimed)
            }
            Err(failure) => Err(self.put_back(session, failure).await),
        }
    }

    async fn claim_through(
        &mut self,
        session: &mut Session,
        claim: Claim,
        present: &Present,
    ) -> Result<(Outcome, Option<Mark>), Failure> {
        let Writing { offsets, blockers, .. } = &mut self.writing;
        session.client().batch_execute("BEGIN").await?;
        let taking = offsets.take(session.client(), session.rows(), &self.consumer, claim, present);
        let wanted = [(claim.partition, claim.assignment)];
        let taken =
            blockers.freed(session.backend_pid(), &wanted, taking, wattline_stream::Error::database).await;
        let taken: Taken = match taken {
            Ok(taken) => taken,
            Err(error) => {
                // What is refused for good is written to the row, outside of the transaction that found it.
                session.client().batch_execute("ROLLBACK").await?;
                return Err(offsets
                    .settle(session.client(), session.rows(), claim.partition, error)
                    .await
                    .into());
            }
        };
        let outcome = outcome::begin(session, offsets, &taken).await?;
        session.client().batch_execute("COMMIT").await?;
        outcome
            .map(|outcome| (outcome, taken.mark))
            .ok_or_else(|| Failure::Refused(format!("{:?} is of no topic of this service", claim.partition)))
    }
}
