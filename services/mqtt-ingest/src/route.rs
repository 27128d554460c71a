//! Which decoder takes a topic, and how the meter's id is made from the topic.

use anyhow::{bail, ensure};
use serde::Deserialize;

use crate::decode::Decoder;

/// One `[[routes]]` table of the configuration.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RouteSettings {
    /// MQTT topic filter. The first route that matches a topic takes it.
    pub filter: String,
    /// The device family.
    pub decoder: Decoder,
    /// The meter's id: text with `{N}` for the N-th level of the topic, counted from 1.
    pub meter_id: String,
}

/// All routes, in the order of the configuration.
#[derive(Clone, Debug)]
pub struct Routes(Vec<Route>);

/// One route, ready for use.
#[derive(Clone, Debug)]
pub struct Route {
    /// The MQTT topic filter.
    pub filter: String,
    /// The device family.
    pub decoder: Decoder,
    meter_id: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// Index of a topic level, from 0.
    Level(usize),
}

// === impl Routes ===

impl Routes {
    /// Checks the routes of the configuration.
    ///
    /// # Errors
    /// Names the route and what is wrong with it.
    pub fn new(settings: &[RouteSettings]) -> anyhow::Result<Self> {
        ensure!(!settings.is_empty(), "routes is empty: at least one route is needed");
        let routes = settings.iter().map(Route::new).collect::<anyhow::Result<_>>()?;
        Ok(Self(routes))
    }

    /// The first route that takes the topic.
    #[must_use]
    pub fn find(&self, topic: &str) -> Option<&Route> {
        self.0.iter().find(|route| matches(&route.filter, topic))
    }

    /// Their filters, each once.
    #[must_use]
    pub fn filters(&self) -> Vec<String> {
        let mut filters: Vec<String> = Vec::new();
        for route in &self.0 {
            if !filters.contains(&route.filter) {
                filters.push(route.filter.clone());
            }
        }
        filters
    }
}

// === impl Route ===

impl Route {
    fn new(settings: &RouteSettings) -> anyhow::Result<Self> {
        let filter = &settings.filter;
        check_filter(filter)?;
        let meter_id = parse_template(&settings.meter_id).map_err(|why| {
            anyhow::anyhow!("routes: meter_id {:?} of {filter:?}: {why}", settings.meter_id)
        })?;
        let levels = filter.split('/').filter(|level| *level != "#").count();
        let ends_open = filter.ends_with('#');
        for piece in &meter_id {
            if let Piece::Level(index) = piece {
                ensure!(
                    ends_open || *index < levels,
                    "routes: meter_id {:?} of {filter:?} wants topic level {}, the filter has {levels}",
                    settings.meter_id,
                    index + 1
                );
            }
        }
        Ok(Self { filter: filter.clone(), decoder: settings.decoder, meter_id })
    }

    /// The meter's id of a topic that this route takes.
    #[must_use]
    pub fn meter_id(&self, topic: &str) -> String {
        let mut id = String::with_capacity(32);
        for piece in &self.meter_id {
            match piece {
                Piece::Text(text) => id.push_str(text),
                Piece::Level(index) => id.push_str(topic.split('/').nth(*index).unwrap_or_default()),
            }
        }
        id
    }
}

/// True where the MQTT filter matches the topic. Filters that begin with a wildcard don't match `$SYS` and the like.
#[must_use]
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && !filter.starts_with('$') {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// Checks that a text is an MQTT topic filter that can be put into a shared subscription.
///
/// # Errors
/// Names the filter and what is wrong with it.
pub fn check_filter(filter: &str) -> anyhow::Result<()> {
    ensure!(!filter.is_empty(), "a topic filter is empty");
    ensure!(
        !filter.starts_with("$share/"),
        "the filter {filter:?} must be written without $share: mqtt.group adds it"
    );
    let last = filter.split('/').count() - 1;
    for (index, level) in filter.split('/').enumerate() {
        let alone = level.len() == 1;
        let wildcard = level.contains(['+', '#']);
        if (wildcard && !alone) || (level == "#" && index != last) || level.contains('\0') {
            bail!(
                "the filter {filter:?} is not valid in MQTT: + and # stand alone in a level, # only in the last"
            );
        }
    }
    Ok(())
}

fn parse_template(template: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            pieces.push(Piece::Text(rest[..open].to_owned()));
        }
        let close = rest[open..].find('}').ok_or("a { has no }")? + open;
        match rest[open + 1..close].parse::<usize>() {
            Ok(level) if level > 0 => pieces.push(Piece::Level(level - 1)),
            _ => {
                let piece = &rest[open..=close];
                return Err(format!("{piece} is no topic level: write {{1}}, {{2}}, …"));
            }
        }
        rest = &rest[close + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    if pieces.iter().any(|piece| matches!(piece, Piece::Level(_))) {
        Ok(pieces)
    } else {
        Err("without a topic level all meters would be one".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(filter: &str, meter_id: &str) -> anyhow::Result<Routes> {
        Routes::new(&[RouteSettings {
            filter: filter.to_owned(),
            decoder: Decoder::WattlineJson,
            meter_id: meter_id.to_owned(),
        }])
    }

    #[test]
    fn filters_match_as_mqtt_says() {
        for (filter, topic, expected) in [
            ("wattline/+/reading", "wattline/m1/reading", true),
            ("wattline/+/reading", "wattline//reading", true),
            ("wattline/+/reading", "wattline/m1/reading/x", false),
            ("wattline/+/reading", "wattline/m1", false),
            ("wattline/#", "wattline", true),
            ("wattline/#", "wattline/a/b", true),
            ("#", "$SYS/uptime", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("a/b", "a/b", true),
            ("a/b", "a/B", false),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn the_id_is_made_of_topic_levels() {
        let routes = route("wattline/+/reading", "{2}").unwrap();
        assert_eq!(routes.find("wattline/m-1/reading").unwrap().meter_id("wattline/m-1/reading"), "m-1");
        let routes = route("site/+/shelly/+/#", "{2}/{4}-em").unwrap();
        let topic = "site/a/shelly/b/status";
        assert_eq!(routes.find(topic).unwrap().meter_id(topic), "a/b-em");
        assert!(routes.find("other").is_none());
    }

    #[test]
    fn a_wrong_route_says_what_is_wrong() {
        for (filter, meter_id, word) in [
            ("wattline/+/reading", "fixed", "all meters would be one"),
            ("wattline/+/reading", "{4}", "the filter has 3"),
            ("wattline/+/reading", "{0}", "no topic level"),
            ("wattline/+/reading", "{2", "has no }"),
            ("wattline/#/reading", "{2}", "only in the last"),
            ("wattline/a+/reading", "{2}", "stand alone"),
            ("$share/g/x/+", "{2}", "without $share"),
            ("", "{1}", "empty"),
        ] {
            let error = route(filter, meter_id).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
