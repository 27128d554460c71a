//! A configuration file with every setting: the documentation of the settings' structs, and the defaults that they have.
//! There is no second text that could say something else.

use std::fmt::{Display, Write as _};

use anyhow::{Context, ensure};
use documented::{Documented, DocumentedFields};
use serde::Serialize;
use toml::{Table, Value};

use super::ServiceConfig;

/// A configuration that explains itself: `#[derive(Documented, DocumentedFields, Serialize)]`, and its sections likewise.
/// The documentation is written for whoever edits the file, as its comments; what of it stands in a block of TOML is an
/// example.
pub trait Sample: ServiceConfig + Default + PartialEq + Serialize + Documented + DocumentedFields {
    /// The tables of the file, in their order.
    const SECTIONS: &'static [Section];
}

/// A table of the file.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    name: &'static str,
    keys: &'static [&'static str],
    docs: &'static [&'static str],
}

/// The file with the defaults.
///
/// # Errors
/// Where a table has no section, or the file would not be read as the defaults again.
pub fn sample<C: Sample>() -> anyhow::Result<String> {
    let defaults = Table::try_from(C::default()).context("the defaults can't be written as TOML")?;
    let mut text = String::new();
    comment(&mut text, C::DOCS);
    comment(
        &mut text,
        "\nEvery setting with its default; unknown keys are refused. The environment goes before this file:\n\
         `WATTLINE__SERVICE__LOG_FILTER` is `log_filter` of `[service]`, and commas separate the entries of a list.",
    );
    let fields: Vec<(&str, &str)> =
        C::FIELD_NAMES.iter().copied().zip(C::FIELD_DOCS.iter().copied()).collect();
    for (key, docs) in &fields {
        let value = defaults.get(*key);
        if !value.is_some_and(Value::is_table) && !is_example(docs) {
            text.push('\n');
            setting(&mut text, key, docs, value);
        }
    }
    for (key, docs) in &fields {
        let Some(table) = defaults.get(*key).and_then(Value::as_table) else { continue };
        let section = C::SECTIONS.iter().find(|section| section.name == *key);
        let section = section.with_context(|| format!("the table [{key}] is not among the sections"))?;
        text.push('\n');
        comment(&mut text, docs);
        line(&mut text, format_args!("[{key}]"));
        for (key, docs) in section.keys.iter().zip(section.docs) {
            setting(&mut text, key, docs, table.get(*key));
        }
    }
    for (_, docs) in fields.iter().filter(|(_, docs)| is_example(docs)) {
        text.push('\n');
        comment(&mut text, docs);
    }
    let read: C = toml::from_str(&text).context("the sample can't be read")?;
    ensure!(read == C::default(), "the sample doesn't say the defaults:\n{text}");
    Ok(text)
}

/// A list of tables is shown by its example alone.
fn is_example(docs: &str) -> bool {
    docs.contains("```toml")
}

/// One key with its comment. Texts that may be absent are written empty.
fn setting(text: &mut String, key: &str, docs: &str, value: Option<&Value>) {
    comment(text, docs);
    match value {
        Some(value) => line(text, format_args!("{key} = {value}")),
        None => line(text, format_args!("{key} = \"\"")),
    }
}

fn comment(text: &mut String, docs: &str) {
    for doc in docs.lines().filter(|doc| !doc.starts_with("```")) {
        line(text, format_args!("# {doc}"));
    }
}

fn line(text: &mut String, line: impl Display) {
    let start = text.len();
    // A String takes everything.
    let _ = write!(text, "{line}");
    text.truncate(start + text[start..].trim_end().len());
    text.push('\n');
}

// === impl Section ===

impl Section {
    /// The section of these settings.
    #[must_use]
    pub const fn of<S: DocumentedFields>(name: &'static str) -> Self {
        Self { name, keys: S::FIELD_NAMES, docs: S::FIELD_DOCS }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde::Deserialize;

    use super::*;
    use crate::ServiceSettings;
    use crate::config::{absent_if_empty, list};

    /// meter-watch: watches meters.
    #[derive(Debug, Deserialize, Documented, DocumentedFields, PartialEq, Serialize)]
    #[serde(default, deny_unknown_fields)]
    struct Config {
        /// What all services have.
        service: ServiceSettings,
        /// What is watched.
        watch: WatchSettings,
        /// Names of families.
        #[serde(deserialize_with = "list")]
        families: Vec<String>,
        /// Several watches:
        ///
        /// ```toml
        /// [[watches]]
        /// share = 0.5
        /// ```
        watches: Vec<WatchSettings>,
    }

    #[derive(Debug, Deserialize, DocumentedFields, PartialEq, Serialize)]
    #[serde(default, deny_unknown_fields)]
    struct WatchSettings {
        /// How much, 0 to 1.
        ///
        /// More is slower.
        share: f64,
        /// A file. Empty: none.
        #[serde(deserialize_with = "absent_if_empty")]
        file: Option<PathBuf>,
    }

    impl Default for Config {
        fn default() -> Self {
            Self {
                service: ServiceSettings::with_admin_port(9400),
                watch: WatchSettings::default(),
                families: vec!["all".to_owned()],
                watches: Vec::new(),
            }
        }
    }

    impl Default for WatchSettings {
        fn default() -> Self {
            Self { share: 1.0, file: None }
        }
    }

    impl ServiceConfig for Config {
        fn service(&self) -> &ServiceSettings {
            &self.service
        }
    }

    impl Sample for Config {
        const SECTIONS: &'static [Section] =
            &[Section::of::<ServiceSettings>("service"), Section::of::<WatchSettings>("watch")];
    }

    #[test]
    fn documentation_and_defaults_become_a_file() {
        let text = sample::<Config>().unwrap();
        assert!(text.starts_with("# meter-watch: watches meters.\n#\n# Every setting"), "{text}");
        let parts = [
            "\n\n# Names of families.\nfamilies = [\"all\"]\n\n",
            "\n\n# What all services have.\n[service]\n",
            "\nadmin_listen = \"127.0.0.1:9400\"\n",
            "\n\n# What is watched.\n[watch]\n# How much, 0 to 1.\n#\n# More is slower.\nshare = 1.0\n",
            "\n# A file. Empty: none.\nfile = \"\"\n",
            "\n\n# Several watches:\n#\n# [[watches]]\n# share = 0.5\n",
        ];
        let places: Vec<usize> =
            parts.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part:?}: {text}"))).collect();
        assert!(places.is_sorted(), "{text}");
    }

    /// Its default can't be read again: a text that is absent is not the same as an empty one here.
    #[derive(Debug, Default, Deserialize, Documented, DocumentedFields, PartialEq, Serialize)]
    #[serde(default)]
    /// Wrong.
    struct Wrong {
        /// What all services have.
        service: ServiceSettings,
        /// Absent.
        name: Option<String>,
    }

    impl ServiceConfig for Wrong {
        fn service(&self) -> &ServiceSettings {
            &self.service
        }
    }

    impl Sample for Wrong {
        const SECTIONS: &'static [Section] = &[Section::of::<ServiceSettings>("service")];
    }

    #[test]
    fn a_file_that_says_something_else_than_the_defaults_is_no_sample() {
        let error = sample::<Wrong>().unwrap_err().to_string();
        assert!(error.contains("doesn't say the defaults"), "{error}");
    }
}
