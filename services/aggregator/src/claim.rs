//! A partition's row in `stream_offset` becomes ours: only its owner computes the partition's meters.
//!
//! Kafka says whose partition it is, the row makes it so: each transaction reads `owner = me FOR SHARE`. A twin that was
//! frozen inside a transaction still holds that lock when its partition is given to us. No timeout of the server ends
//! it, so whoever blocks the claim for too long is ended; a transaction that is ended has changed nothing.

use std::sync::Arc;

use tokio_postgres::Transaction;
use tracing::info;
use wattline_reading::partition;
use wattline_stream::{Blockers, Error, Offsets, Present, Taken};

use crate::config::Config;
use crate::consume::Member;
use crate::failure::{Failure, Outcome};
use crate::transact::Session;

/// What became of a claim.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim {
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
pub struct Claimer<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The group's member.
    pub member: &'a Arc<Member>,
    /// Our rows.
    pub offsets: &'a Offsets,
    /// Ends a twin that holds one.
    pub blockers: &'a mut Blockers,
}

// === impl Claimer ===

impl Claimer<'_> {
    /// Claims one partition of the readings topic, of which Kafka says what is `present`.
    ///
    /// # Errors
    /// Where Kafka or the database doesn't answer; the claim is tried again.
    pub async fn claim(
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
                    make_up(&transaction, self.offsets, &taken, present.partitions).await?;
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

/// Records that Kafka deleted before they were read: nobody can say what they changed, so each meter of the partition is
/// recomputed from its first row to its last.
async fn make_up(
    transaction: &Transaction<'_>,
    offsets: &Offsets,
    taken: &Taken,
    partitions: i32,
) -> Outcome<()> {
    let Taken { partition, next_offset, lost, .. } = *taken;
    let number = partition.number;
    let mut keys: Vec<i32> = Vec::new();
    for row in transaction.query("SELECT meter_key, meter_id FROM meter", &[]).await? {
        let id: &str = row.try_get("meter_id")?;
        if partition::of_key(id.as_bytes(), partitions) == number {
            keys.push(row.try_get("meter_key")?);
        }
    }
    let written = transaction
        .execute(
            "INSERT INTO recompute (meter_key, from_ts, to_ts, reason) \
             SELECT m.key, a.ts, z.ts, 'records_lost' FROM unnest($1::int[]) AS m(key) \
             CROSS JOIN LATERAL (SELECT ts FROM reading WHERE meter_key = m.key ORDER BY ts LIMIT 1) a \
             CROSS JOIN LATERAL (SELECT ts FROM reading WHERE meter_key = m.key ORDER BY ts DESC LIMIT 1) z",
            &[&keys],
        )
        .await?;
    let topic = offsets.topics.of(partition.stream);
    transaction
        .execute(
            "UPDATE stream_offset SET lost = lost + $4 WHERE consumer = $1 AND topic = $2 AND partition = $3",
            &[&offsets.consumer, &topic, &number, &lost],
        )
        .await?;
    info!(
        partition = number,
        lost,
        "Kafka begins at offset {next_offset} of partition {number}, {lost} records are gone: {written} meters are \
         recomputed"
    );
    Ok(())
}
