//! Waiting for a condition, with a deadline.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::Instant;

/// Calls `check` every `interval` until it returns `Some`, at most `deadline` long. The error says `what` was awaited.
pub async fn poll_until<T, F>(what: &str, deadline: Duration, interval: Duration, mut check: F) -> Result<T>
where
    F: AsyncFnMut() -> Result<Option<T>>,
{
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = check().await.with_context(|| format!("waiting for {what}"))? {
            return Ok(value);
        }
        if Instant::now() >= end {
            bail!("waited {} s for {what}", deadline.as_secs());
        }
        tokio::time::sleep(interval).await;
    }
}

/// Waits until a GET of `url` answers with success, and returns the body.
pub async fn wait_http(url: &str, deadline: Duration) -> Result<String> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?;
    poll_until(url, deadline, Duration::from_millis(50), async || {
        let Ok(answer) = client.get(url).send().await else {
            return Ok(None);
        };
        if !answer.status().is_success() {
            return Ok(None);
        }
        Ok(answer.text().await.ok())
    })
    .await
}
