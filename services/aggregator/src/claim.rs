//! A partition's row in `stream_offset` becomes ours: only its owner computes the partition's meters.
//!
//! Kafka says whose partition it is, the row makes it so: each transaction reads `owner = me FOR SHARE`. A twin that was
//! frozen inside a transaction still holds that lock when its partition is given to us. No timeout of the server ends
//! it, so whoever blocks the claim for too long is ended; a transaction that is ended has changed nothing.

use std::sync::Arc;

use tokio_postgres::Transaction;
use tracing::info;
use wattline_stream::{Blockers, Error, Offsets, Present, Taken};

use crate::config::Config;
use crate::consume::Member;
use crate::failure::{Failure, Outcome};
use crate::make_up::make_up;
use crate::transact::Session;

/// What became of a claim.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Ours, from this offset on; so many records were deleted before they were read.
    Owned {
        /// The own offset.
        next_offset: i64,
        /// What is lost.
        lost: i64,
    },
    /// A person must do something.
    Refused(String),
}

/// What a claim needs besides its connection.
pub(crate) struct Claimer<'a> {
    /// The configuration.
    pub(crate) config: &'a Config,
    /// The group's member.
    pub(crate) member: &'a Arc<Member>,
    /// Our rows.
    pub(crate) offsets: &'a Offsets,
    /// Ends a twin that holds one.
    pub(crate) blockers: &'a mut Blockers,
}

// === impl Claimer ===

impl Claimer<'_> {
    /// Claims one partition of the readings topic, of which Kafka says what is `present`.
    ///
    /// # Errors
    /// Where Kafka or the database doesn't answer; the claim is tried again.
    pub(crate) async fn claim(
        &mut self,
        session: &mut Session,
        claim: wattline_stream::Claim,
        present: &Present,
    ) -> Outcome<Claim> {
        let Session { client, rows, backend_pid, .. } = session;
        let transaction = client.transaction().await?;
        let timeout_ms = self.config.recompute.lock_timeout_ms;
        transaction.batch_execute(&format!("SET LOCAL lock_timeout = '{timeout_ms}ms'")).await?;
        let taking = self.offsets.take(&transaction, rows, self.member, claim, present);
        let wanted = [(claim.partition, claim.assignment)];
        match self.blockers.freed(*backend_pid, &wanted, taking, Error::database).await {
            Ok(taken) => {
                // What was there before the row was is nobody's loss, but may have been stored and never computed.
                let begins_late = taken.is_new && present.low > 0;
                if taken.lost > 0 || begins_late {
                    account(&transaction, self.offsets, &taken, present.partitions).await?;
                }
                transaction.commit().await?;
                Ok(Claim::Owned { next_offset: taken.next_offset, lost: taken.lost })
            }
            Err(error) => {
                transaction.rollback().await?;
                match self.offsets.settle(client, rows, claim.partition, error).await {
                    Error::Refused(why) => Ok(Claim::Refused(why)),
                    error => Err(Failure::from(error)),
                }
            }
        }
    }
}

/// Records that Kafka deleted before they were read are counted and made up for.
async fn account(
    transaction: &Transaction<'_>,
    offsets: &Offsets,
    taken: &Taken,
    partitions: i32,
) -> Outcome<()> {
    let Taken { partition, next_offset, lost, .. } = *taken;
    let number = partition.number;
    let meters = make_up(transaction, number, partitions).await?;
    let topic = offsets.topics.of(partition.stream);
    transaction
        .execute(include_str!("sql/lost_count.sql"), &[&offsets.consumer, &topic, &number, &lost])
        .await?;
    info!(
        partition = number,
        lost,
        "Kafka begins at offset {next_offset} of partition {number}, {lost} records are gone: {meters} meters are \
         recomputed"
    );
    Ok(())
}
