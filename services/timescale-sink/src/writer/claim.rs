//! Taking partitions on: what Kafka says of them, compared with their offset rows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use tracing::{info, warn};
use wattline_service::TopicIdentity;
use wattline_service::kafka::topic_identity;

use super::Writer;
use crate::batch::{Partition, Stream};
use crate::failure::{Class, Failure};
use crate::metrics::{ErrorClass, Stage};
use crate::offsets::{self, ClaimFailure, OffsetRow, Present};
use crate::work::{Answer, Claim};
use crate::write::Writing;

/// How long Kafka may take to describe a topic or a partition.
const KAFKA_TIMEOUT: Duration = Duration::from_secs(5);
/// When a claim that failed for a passing reason is tried again.
const CLAIM_RETRY: Duration = Duration::from_secs(1);

impl Writer {
    pub(super) async fn claim_all(&mut self, claims: Vec<Claim>) {
        let mut identities = HashMap::new();
        // While a partition was someone else's, they may have stored newer readings of its meters.
        let mut kept: HashSet<Partition> = self.ownership.partitions().into_iter().collect();
        kept.retain(|partition| claims.iter().all(|claim| claim.partition != *partition));
        self.meters.retain(|partition| kept.contains(&partition));
        for claim in claims {
            if self.stop.is_cancelled() {
                return;
            }
            if !self.ownership.holds(claim.partition, claim.epoch) {
                continue;
            }
            let answer = match self.claim(claim, &mut identities).await {
                Ok(row) => {
                    self.metrics.offset_row(&row);
                    self.health.goes_on(claim.partition);
                    info!(partition = ?claim.partition, offset = row.next_offset,
                        "{:?} {} goes on at offset {}", claim.partition.stream, claim.partition.number, row.next_offset);
                    Answer::Claimed(claim, row.next_offset)
                }
                Err(wait) => Answer::Again(claim.partition, claim.epoch, wait),
            };
            self.answer(answer).await;
        }
        self.show_stopped();
    }

    /// Takes one partition on; else says when to try again.
    async fn claim(
        &mut self,
        claim: Claim,
        identities: &mut HashMap<Stream, TopicIdentity>,
    ) -> Result<OffsetRow, Duration> {
        let Claim { partition, .. } = claim;
        let present = match self.ask_kafka(claim, identities).await {
            Ok(present) => present,
            Err(error) => {
                self.metrics.error(Stage::Claiming, ErrorClass::Transient);
                self.health.kafka(Some(error.clone()));
                warn!(?partition, "cannot take on {:?} {}: {error}", partition.stream, partition.number);
                return Err(CLAIM_RETRY);
            }
        };
        match self.try_claim(claim, &present).await {
            Ok(row) => {
                self.health.database(self.index, None);
                if row.lost > 0 {
                    warn!(
                        ?partition,
                        lost = row.lost,
                        "{:?} {}: {} records were no longer in Kafka in all",
                        partition.stream,
                        partition.number,
                        row.lost
                    );
                }
                Ok(row)
            }
            Err(ClaimFailure::Refused(reason)) => {
                Err(self.stop_partition(partition, Stage::Claiming, reason))
            }
            Err(ClaimFailure::Database(failure)) if failure.class() == Class::Transient => {
                self.transient(Stage::Claiming, &failure);
                Err(CLAIM_RETRY)
            }
            Err(ClaimFailure::Database(failure)) => {
                Err(self.stop_partition(partition, Stage::Claiming, failure.to_string()))
            }
        }
    }

    async fn try_claim(&mut self, claim: Claim, present: &Present) -> Result<OffsetRow, ClaimFailure> {
        let mut session = self.take_session().await?;
        let pid = session.backend_pid();
        let claiming = async {
            let Writing { names, owner, .. } = &self.writing;
            let claiming = offsets::claim(&mut session, names, *owner, claim.partition, present);
            let timeout = Duration::from_millis(self.config.store.flush_timeout_ms);
            match tokio::time::timeout(timeout, claiming).await {
                Ok(result) => result,
                Err(_) => Err(Failure::Timeout(timeout).into()),
            }
        };
        let wanted = [(claim.partition, claim.epoch)];
        let result = self.unblocked(pid, &wanted, Box::pin(claiming)).await;
        match result {
            Ok(row) => {
                self.blocked = false;
                self.session = Some(session);
                Ok(row)
            }
            Err(ClaimFailure::Database(failure)) => Err(self.put_back(session, failure).await.into()),
            Err(ClaimFailure::Refused(reason)) => {
                if session.rolled_back().await {
                    self.session = Some(session);
                }
                Err(ClaimFailure::Refused(reason))
            }
        }
    }

    async fn ask_kafka(
        &self,
        claim: Claim,
        identities: &mut HashMap<Stream, TopicIdentity>,
    ) -> Result<Present, String> {
        let Claim { partition, hole_to, .. } = claim;
        let known = identities.get(&partition.stream).cloned();
        let consumer = Arc::clone(&self.consumer);
        let topic = self.writing.names.of(partition.stream).to_owned();
        let asked = tokio::task::spawn_blocking(move || {
            let identity = match known {
                Some(identity) => identity,
                None => {
                    topic_identity(consumer.client(), &topic, KAFKA_TIMEOUT).map_err(|e| e.to_string())?
                }
            };
            let (low, high) =
                consumer.fetch_watermarks(&topic, partition.number, KAFKA_TIMEOUT).map_err(|e| {
                    format!("Kafka does not say what partition {} of {topic} holds: {e}", partition.number)
                })?;
            Ok::<_, String>(Present { identity, low, high, hole_to })
        });
        let present = asked.await.map_err(|error| error.to_string())??;
        identities.insert(partition.stream, present.identity.clone());
        Ok(present)
    }
}
