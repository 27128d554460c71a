//! Logs on standard error, for people or as JSON. Each line carries the fields of the spans that it is in.

use anyhow::Context;
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use crate::config::{LogFormat, ServiceSettings};
use crate::traces::Exporter;

/// Starts the logs of this process, and the traces beside them where there are any.
///
/// # Errors
/// Where `log_filter` can't be read, or logs were started before.
pub fn start(settings: &ServiceSettings, traces: Option<&Exporter>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log_filter).with_context(|| {
        format!(
            "bad configuration: service.log_filter {:?} is no filter; write for example \"info\" or \"info,rdkafka=warn\"",
            settings.log_filter
        )
    })?;
    registry()
        .with(filter)
        .with(lines(settings.log_format, std::io::stderr))
        .with(traces.map(Exporter::layer))
        .try_init()
        .map_err(|error| anyhow::anyhow!("cannot start logs: {error}"))
}

/// Writes events as lines of this form.
fn lines<S, W>(format: LogFormat, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing::{info, info_span};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn line_in_a_span(format: LogFormat) -> String {
        let written = Written::default();
        let copy = written.clone();
        let subscriber = registry().with(EnvFilter::new("info")).with(lines(format, move || copy.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let span = info_span!("request", operation = "Day", rows = tracing::field::Empty);
            span.record("rows", 96);
            span.in_scope(|| info!("answered"));
        });
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_carries_what_was_recorded_of_its_span() {
        let line = line_in_a_span(LogFormat::Text);
        assert!(line.contains("request{operation=\"Day\" rows=96}"), "{line}");
        let line: serde_json::Value = serde_json::from_str(&line_in_a_span(LogFormat::Json)).unwrap();
        assert_eq!(line["message"], "answered");
        assert_eq!(line["span"], serde_json::json!({"name": "request", "operation": "Day", "rows": 96}));
    }
}
