//! How single values are read: what may be absent, and lists that one variable of the environment can hold.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// Text or a path that may be absent: an empty one is. For `#[serde(deserialize_with = "…")]`.
///
/// # Errors
/// Where it is no text.
pub fn absent_if_empty<'de, D: Deserializer<'de>, T: From<String>>(from: D) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    Ok(text.filter(|text| !text.is_empty()).map(T::from))
}

/// A list of texts: as such, or as one text with commas between them, which is how the environment says it
/// (`WATTLINE__FAMILIES=tasmota,shelly`). Spaces around them don't count, and empty ones neither. A text that holds a
/// comma itself needs the file. For `#[serde(deserialize_with = "…")]`.
///
/// # Errors
/// Where it is neither.
pub fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    from.deserialize_any(List)
}

struct List;

// === impl List ===

impl<'de> Visitor<'de> for List {
    type Value = Vec<String>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of texts, or one text with commas between them")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::path::PathBuf;

    use serde::Deserialize;

    use crate::config::load_from;
    use crate::{ServiceConfig, ServiceSettings};

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Sample {
        service: ServiceSettings,
        mqtt: Mqtt,
        #[serde(deserialize_with = "super::list")]
        families: Vec<String>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Mqtt {
        #[serde(deserialize_with = "super::list")]
        filters: Vec<String>,
        #[serde(deserialize_with = "super::absent_if_empty")]
        ca_file: Option<PathBuf>,
        #[serde(deserialize_with = "super::absent_if_empty")]
        username: Option<String>,
    }

    impl ServiceConfig for Sample {
        fn service(&self) -> &ServiceSettings {
            &self.service
        }
    }

    fn load(toml: &str, environment: &[(&str, &str)]) -> anyhow::Result<Sample> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), toml).unwrap();
        let environment = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        load_from(Some(file.path()), environment.collect::<HashMap<_, _>>())
    }

    #[test]
    fn a_list_is_written_with_commas_in_the_environment() {
        for (text, parts) in [
            ("a/#,b/#", vec!["a/#", "b/#"]),
            ("a/#", vec!["a/#"]),
            (" a , b ,", vec!["a", "b"]),
            ("123,007", vec!["123", "007"]),
            ("123", vec!["123"]),
            ("true", vec!["true"]),
        ] {
            let sample =
                load("", &[("WATTLINE__MQTT__FILTERS", text), ("WATTLINE__FAMILIES", text)]).unwrap();
            assert_eq!(sample.mqtt.filters, parts, "{text}");
            assert_eq!(sample.families, parts, "{text}");
        }
    }

    #[test]
    fn a_list_of_the_file_keeps_its_commas_and_gives_way_to_the_environment() {
        let file = "families = [\"a,b\", \"c\"]";
        assert_eq!(load(file, &[]).unwrap().families, ["a,b", "c"]);
        assert_eq!(load(file, &[("WATTLINE__FAMILIES", "d")]).unwrap().families, ["d"]);
        assert_eq!(load("families = []", &[]).unwrap().families, [""; 0]);
        assert_eq!(load("families = \"\"", &[]).unwrap().families, [""; 0]);
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_key() {
        let error = format!("{:#}", load("families = 3", &[]).unwrap_err());
        assert!(error.contains("families") && error.contains("a list of texts"), "{error}");
    }

    #[test]
    fn a_comma_in_a_text_is_a_comma() {
        let sample = load("", &[("WATTLINE__MQTT__USERNAME", "a,b")]).unwrap();
        assert_eq!(sample.mqtt.username.as_deref(), Some("a,b"));
    }

    #[test]
    fn an_empty_text_is_none() {
        let sample = load("[mqtt]\nca_file = \"\"\nusername = \"\"", &[]).unwrap();
        assert_eq!(sample, Sample::default());
        let empty = [("WATTLINE__MQTT__CA_FILE", ""), ("WATTLINE__MQTT__USERNAME", "")];
        assert_eq!(load("", &empty).unwrap(), Sample::default());
        let given = load("[mqtt]\nca_file = \"/ca.pem\"", &[("WATTLINE__MQTT__USERNAME", "0")]).unwrap();
        assert_eq!(given.mqtt.ca_file, Some(PathBuf::from("/ca.pem")));
        assert_eq!(given.mqtt.username.as_deref(), Some("0"));
    }

    /// An empty variable is as good as none: what the file says stays.
    #[test]
    fn an_empty_variable_does_not_undo_the_file() {
        let sample = load("[mqtt]\nca_file = \"/ca.pem\"", &[("WATTLINE__MQTT__CA_FILE", "")]).unwrap();
        assert_eq!(sample.mqtt.ca_file, Some(PathBuf::from("/ca.pem")));
    }
}
