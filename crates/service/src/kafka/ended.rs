//! A consumer that has ended for good, and the new one in its place.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::Backoff;

/// Why only a new client can go on.
#[derive(Debug, thiserror::Error)]
pub enum ClientEnded {
    /// The client library has given up for good. Seen after restarts of a broker (`FencedInstanceId`), and where another
    /// process runs with the same `kafka.instance_id`.
    #[error(
        "the Kafka client can't go on: {0}. Kafka says so after a restart of its own, and where another process runs with the same kafka.instance_id"
    )]
    Fatal(RDKafkaErrorCode),
    /// The library has given up the partitions of a topic that was deleted, and doesn't begin with those of the new one.
    #[error("the Kafka client can't go on: the topic {0} was made anew, or is another cluster's")]
    TopicAnew(String),
    /// The number of partitions has changed: each must be claimed anew.
    #[error("the Kafka client can't go on: {0}")]
    Partitions(String),
}

/// A client that worked for so long was not thrown out by a namesake.
const WORKED: Duration = Duration::from_secs(60);

/// One client after the other: which end a new one mends, and when it begins.
#[derive(Debug)]
pub struct Clients {
    backoff: Backoff,
    begun: Instant,
}

// === impl Clients ===

impl Clients {
    /// The first one begins.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)),
            begun: Instant::now(),
        }
    }

    /// Why the client has ended, where a new one mends that; nothing where the work is done.
    ///
    /// # Errors
    /// Any other error, and any during the shutdown.
    pub fn mendable(
        &self,
        outcome: anyhow::Result<()>,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Option<ClientEnded>> {
        let Err(error) = outcome else { return Ok(None) };
        if shutdown.is_cancelled() {
            return Err(error);
        }
        let ended = error.downcast::<ClientEnded>()?;
        error!("{ended}. What it had taken and not finished is read again by a new client");
        Ok(Some(ended))
    }

    /// Waits until the next one may begin; false where it need not, because of the shutdown.
    pub async fn next(&mut self, shutdown: &CancellationToken) -> bool {
        if self.begun.elapsed() > WORKED {
            self.backoff.reset();
        }
        tokio::select! {
            () = shutdown.cancelled() => return false,
            () = self.backoff.wait() => {}
        }
        self.begun = Instant::now();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_an_ended_client_is_replaced() {
        let (stop, mut clients) = (CancellationToken::new(), Clients::begin());
        let ended =
            clients.mendable(Err(ClientEnded::Fatal(RDKafkaErrorCode::FencedInstanceId).into()), &stop);
        assert!(ended.unwrap().unwrap().to_string().contains("kafka.instance_id"));
        assert!(clients.next(&stop).await);
        assert!(clients.mendable(Err(anyhow::anyhow!("something else")), &stop).is_err());
        assert!(clients.mendable(Ok(()), &stop).unwrap().is_none());
        stop.cancel();
        assert!(!clients.next(&stop).await);
    }
}
