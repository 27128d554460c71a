//! Configuration: a TOML file, then the environment. Unknown keys are refused, so that a misspelt one is never
//! silently without effect.

mod sample;
mod value;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, bail};
use config::{Config, Environment, File, FileFormat};
use documented::DocumentedFields;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::traces::TraceSettings;

pub use sample::{Sample, Section, sample};
pub use value::{absent_if_empty, list};

/// The configuration of a service.
pub trait ServiceConfig: DeserializeOwned {
    /// The section that all services have.
    fn service(&self) -> &ServiceSettings;

    /// Where its traces go; by default nowhere.
    fn traces(&self) -> &TraceSettings {
        &TraceSettings::OFF
    }

    /// Checks what types can't say: ranges, and keys that need each other.
    ///
    /// # Errors
    /// A sentence that names the key, what is wrong with it, and what to write.
    fn validate(&self) -> anyhow::Result<()> {
        Ok(())
    }

    /// Tries each connection once, for `--check`; each is in the result, good or not.
    fn check_connections(&self) -> impl Future<Output = Vec<ConnectionCheck>> {
        std::future::ready(Vec::new())
    }
}

/// What a try of one connection has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionCheck {
    /// Which one.
    pub connection: String,
    /// Whether it can be used.
    pub good: bool,
    /// What was found, and what to do, for a person.
    pub words: String,
}

/// Section `[service]`.
#[derive(Clone, Debug, Deserialize, DocumentedFields, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceSettings {
    /// Where `/livez`, `/readyz` and `/metrics` are served. Keep it away from the outside.
    pub admin_listen: SocketAddr,
    /// Form of the logs on standard error: "text" for people, "json" for one object a line.
    pub log_format: LogFormat,
    /// Which logs: a level, or `tracing` directives such as "info,rdkafka=warn".
    pub log_filter: String,
    /// How long a stop may take before the process ends regardless, in ms.
    pub stop_deadline_ms: u64,
    /// Threads of the asynchronous runtime.
    pub worker_threads: usize,
}

/// Form of the logs.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Reads the configuration of a service: defaults, then `file`, then `WATTLINE__SECTION__KEY`.
///
/// # Errors
/// Where the file can't be read or parsed, a key is unknown or of the wrong type, or a value makes no sense.
pub fn load<C: ServiceConfig>(file: Option<&Path>) -> anyhow::Result<C> {
    let environment = std::env::vars_os().filter_map(|(key, value)| {
        let key = key.into_string().ok().filter(|key| key.starts_with("WATTLINE__"))?;
        Some((key, value.to_string_lossy().into_owned()))
    });
    load_from(file, environment.collect())
}

/// The same with a given environment.
///
/// # Errors
/// As [`load`].
pub fn load_from<C: ServiceConfig>(
    file: Option<&Path>,
    environment: std::collections::HashMap<String, String>,
) -> anyhow::Result<C> {
    let mut sources = vec!["the environment (WATTLINE__SECTION__KEY)".to_owned()];
    let mut builder = Config::builder();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
        toml::from_str::<toml::Table>(&text)
            .with_context(|| format!("{} is not valid TOML", path.display()))?;
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
        sources.insert(0, path.display().to_string());
    }
    let environment = Environment::with_prefix("WATTLINE")
        .prefix_separator("__")
        .separator("__")
        .ignore_empty(true)
        .source(Some(environment));
    let config: C = builder
        .add_source(environment)
        .build()
        .and_then(Config::try_deserialize)
        .with_context(|| format!("bad configuration, from {}", sources.join(" and ")))?;
    let settings = config.service();
    if !(1..=64).contains(&settings.worker_threads) {
        bail!("bad configuration: service.worker_threads is {}, must be 1 to 64", settings.worker_threads);
    }
    config.traces().validate().context("bad configuration")?;
    config.validate().context("bad configuration")?;
    Ok(config)
}

// === impl ConnectionCheck ===

impl ConnectionCheck {
    /// Good words, or an error.
    #[must_use]
    pub fn of(connection: String, outcome: anyhow::Result<String>) -> Self {
        match outcome {
            Ok(words) => Self { connection, good: true, words },
            Err(error) => Self { connection, good: false, words: format!("{error:#}") },
        }
    }
}

// === impl ServiceSettings ===

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            log_format: LogFormat::Text,
            log_filter: "info".to_owned(),
            stop_deadline_ms: 10_000,
            worker_threads: 2,
        }
    }
}

impl ServiceSettings {
    /// The defaults with the service's own admin port.
    #[must_use]
    pub fn with_admin_port(port: u16) -> Self {
        Self { admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KafkaSettings;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Sample {
        service: ServiceSettings,
        kafka: KafkaSettings,
        traces: TraceSettings,
    }

    impl ServiceConfig for Sample {
        fn service(&self) -> &ServiceSettings {
            &self.service
        }

        fn traces(&self) -> &TraceSettings {
            &self.traces
        }
    }

    fn load_env(pairs: &[(&str, &str)]) -> anyhow::Result<Sample> {
        load_from(None, pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_environment_reaches_keys_with_underscores() {
        let sample = load_env(&[
            ("WATTLINE__SERVICE__STOP_DEADLINE_MS", "5"),
            ("WATTLINE__SERVICE__LOG_FORMAT", "json"),
            ("WATTLINE__KAFKA__BROKERS", "a:1,b:2"),
            ("WATTLINE__KAFKA__INSTANCE_ID", "0"),
        ])
        .unwrap();
        assert_eq!(sample.service.stop_deadline_ms, 5);
        assert_eq!(sample.service.log_format, LogFormat::Json);
        assert_eq!(sample.kafka.brokers, "a:1,b:2");
        assert_eq!(sample.kafka.instance_id.as_deref(), Some("0"));
    }

    #[test]
    fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[service]\nstop_deadline_ms = 7\nworker_threads = 3").unwrap();
        let environment = [("WATTLINE__SERVICE__WORKER_THREADS".to_owned(), "4".to_owned())].into();
        let sample: Sample = load_from(Some(file.path()), environment).unwrap();
        let service = sample.service;
        assert_eq!((service.stop_deadline_ms, service.worker_threads), (7, 4));
        assert_eq!(service.log_filter, "info");
    }

    #[test]
    fn what_does_not_begin_with_our_name_is_not_ours() {
        let sample = load_env(&[("WATTLIN__KAFKA__BROKERS", "a:1"), ("KAFKA__BROKERS", "b:1")]).unwrap();
        assert_eq!(sample, Sample::default());
    }

    #[test]
    fn a_missing_file_and_too_many_threads_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sink.toml");
        let error = format!("{:#}", load_from::<Sample>(Some(&file), [].into()).unwrap_err());
        assert!(error.contains("sink.toml") && error.contains("cannot read"), "{error}");
        for threads in ["0", "65"] {
            let error = load_env(&[("WATTLINE__SERVICE__WORKER_THREADS", threads)]).unwrap_err().to_string();
            assert!(error.contains(&format!("worker_threads is {threads}, must be 1 to 64")), "{error}");
        }
    }

    #[test]
    fn a_check_says_good_words_or_the_whole_error() {
        let check = |outcome| ConnectionCheck::of("kafka".to_owned(), outcome);
        assert_eq!(check(Ok("3 brokers".to_owned())).words, "3 brokers");
        let bad = check(Err(anyhow::anyhow!("refused").context("cannot connect")));
        assert_eq!((bad.good, &*bad.words), (false, "cannot connect: refused"));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = format!("{:#}", load_env(&[("WATTLINE__KAFKA__BROKERZ", "a:1")]).unwrap_err());
        assert!(error.contains("brokerz") && error.contains("brokers"), "{error}");
        let error = format!("{:#}", load_env(&[("WATTLINE__KAFKAA__BROKERS", "a:1")]).unwrap_err());
        assert!(error.contains("kafkaa") && error.contains("`kafka`"), "{error}");
    }

    #[test]
    fn a_wrong_type_names_the_key() {
        let error = load_env(&[("WATTLINE__SERVICE__STOP_DEADLINE_MS", "soon")]).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("soon") && error.contains("stop_deadline_ms"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_toml_says_where() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[kafka\nbrokers = 1").unwrap();
        let error = format!("{:#}", load_from::<Sample>(Some(file.path()), [].into()).unwrap_err());
        assert!(error.contains("not valid TOML") && error.contains("line 1"), "{error}");
    }
}
