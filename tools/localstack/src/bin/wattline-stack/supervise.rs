//! What ends by itself is started again, as Kubernetes would, and said.

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Having run so long, it gets the shortest pause again.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// Starts `name` again whenever it has ended, until the task is dropped. Each start is told to `changes`.
///
/// `ended` waits for the end of the present process, `start` starts the next one.
pub(crate) async fn supervise(
    name: String,
    changes: mpsc::Sender<()>,
    ended: impl AsyncFn() -> Result<ExitStatus>,
    start: impl AsyncFn() -> Result<()>,
) {
    let mut pause = PAUSE_FIRST;
    loop {
        let began = Instant::now();
        match ended().await {
            Ok(status) => warn!("{name} ended ({status}), starting it again in {:.1} s", pause.as_secs_f64()),
            Err(error) => {
                error!("{name} can no longer be watched: {error:#}");
                return;
            }
        }
        if began.elapsed() >= HEALTHY_AFTER {
            pause = PAUSE_FIRST;
        }
        loop {
            sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
            match start().await {
                Ok(()) => break,
                Err(error) => {
                    warn!("{name} did not start, trying again in {:.1} s: {error:#}", pause.as_secs_f64());
                }
            }
        }
        info!("{name} was started again");
        // A full queue means that a change is being told already.
        let _ = changes.try_send(());
    }
}
