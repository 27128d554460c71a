//! Logs on standard error, for people or as JSON.

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, ServiceSettings};

/// Starts the logs of this process.
///
/// # Errors
/// Where `log_filter` can't be read, or logs were started before.
pub fn start(settings: &ServiceSettings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log_filter).with_context(|| {
        format!(
            "bad configuration: service.log_filter {:?} is no filter; write for example \"info\" or \"info,rdkafka=warn\"",
            settings.log_filter
        )
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("cannot start logs: {error}"))
}
