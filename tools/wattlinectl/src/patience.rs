//! A server that can't be reached yet. A Job's pod runs a moment before its address is in the network policies of its
//! peers, and a server that is installed with it takes minutes to start.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;
use tokio_postgres::Client;
use wattline_service::postgres::Unconnected;
use wattline_service::{Backoff, DatabaseSettings, KafkaSettings};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long Kafka may take for one answer; the client connects again and again meanwhile.
const ANSWER: Duration = Duration::from_secs(5);

/// How long a server that can't be reached is tried again for. One that refuses is believed at once.
#[derive(Clone, Copy, Debug)]
pub struct Patience(Duration);

/// Why a try failed.
struct Failed {
    error: anyhow::Error,
    passes: bool,
}

// === impl Patience ===

impl Patience {
    /// So many seconds; 0: there is one try.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A connection to the database.
    ///
    /// # Errors
    /// Where it can't be reached for so long, or refuses.
    pub async fn connect(
        self,
        settings: &DatabaseSettings,
        application_name: &str,
    ) -> anyhow::Result<Client> {
        self.until(async || {
            settings.connect(application_name).await.map_err(|error| {
                let passes = error.downcast_ref::<Unconnected>().is_some_and(Unconnected::passes);
                Failed { error, passes }
            })
        })
        .await
    }

    /// Waits until Kafka answers and has so many brokers: with fewer it creates no topic of so many copies.
    ///
    /// # Errors
    /// Where it can't be reached for so long, or refuses.
    pub async fn await_kafka(self, settings: &KafkaSettings, brokers_min: usize) -> anyhow::Result<()> {
        let client: AdminClient<DefaultClientContext> =
            settings.client_config("wattlinectl")?.create().context("cannot make a Kafka client")?;
        let place = &settings.brokers;
        self.until(async || match client.inner().fetch_metadata(None, ANSWER) {
            Ok(metadata) if metadata.brokers().len() >= brokers_min => Ok(()),
            Ok(metadata) => {
                let has = metadata.brokers().len();
                let error = anyhow!("Kafka at {place} has {has} brokers, {brokers_min} copies need as many");
                Err(Failed { error, passes: true })
            }
            Err(error) => {
                let passes = !matches!(
                    error.rdkafka_error_code(),
                    Some(
                        RDKafkaErrorCode::Authentication
                            | RDKafkaErrorCode::SaslAuthenticationFailed
                            | RDKafkaErrorCode::SSL
                    )
                );
                let error = anyhow!(
                    "Kafka at {place} did not answer ({error}): is it running, and is --brokers right?"
                );
                Err(Failed { error, passes })
            }
        })
        .await
    }

    async fn until<T>(self, mut attempt: impl AsyncFnMut() -> Result<T, Failed>) -> anyhow::Result<T> {
        let deadline = Instant::now() + self.0;
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let Failed { error, passes } = match attempt().await {
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            let pause = backoff.next_wait();
            let left = deadline.saturating_duration_since(Instant::now());
            if !passes || pause >= left {
                return Err(error);
            }
            say(&error, left);
            tokio::time::sleep(pause).await;
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command speaks to its user")]
fn say(error: &anyhow::Error, left: Duration) {
    eprintln!("wattlinectl: {error:#}. It is tried again for {} s (--server-wait-s)", left.as_secs());
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn tries(patience: Patience, passes: bool) -> (u32, String) {
        let mut count = 0;
        let outcome = patience.until(async || {
            count += 1;
            Err::<(), _>(Failed { error: anyhow!("away {count}"), passes })
        });
        let error = outcome.await.unwrap_err().to_string();
        (count, error)
    }

    #[tokio::test]
    async fn what_passes_is_tried_again_and_what_refuses_is_believed() {
        assert_eq!(tries(Patience::seconds(60), false).await, (1, "away 1".to_owned()));
        assert_eq!(tries(Patience::seconds(0), true).await, (1, "away 1".to_owned()));
        let (count, last) = tries(Patience::seconds(1), true).await;
        assert!(count > 1 && last == format!("away {count}"), "{count}: {last}");
    }
}
