//! Which letters: the filters of the command line, as SQL.

use tokio_postgres::types::ToSql;
use wattline_reading::Timestamp;
use wattline_routes::check_filter;

use super::State;

/// As many characters of topics and routes are in their indexes (`sql/migrations/0005_dead_letter_replay.sql`).
const INDEXED_CHARS: usize = 200;

/// Which letters; what is not said is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Arrived at this time or later.
    pub since: Option<Timestamp>,
    /// Arrived before this time.
    pub until: Option<Timestamp>,
    /// An MQTT topic filter, with wildcards.
    pub topic: Option<String>,
    /// One of these reasons.
    pub reasons: Vec<String>,
    /// The filter of the route that took them.
    pub route: Option<String>,
    /// The broker that they came by.
    pub broker: Option<String>,
    /// One of these states.
    pub states: Vec<State>,
}

/// Conditions and the values of their parameters.
#[derive(Default)]
pub(super) struct Wanted {
    conditions: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

// === impl Filter ===

impl Filter {
    pub(super) fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        if let Some(since) = self.since {
            wanted.and("received_at >= $", since.to_chrono());
        }
        if let Some(until) = self.until {
            wanted.and("received_at < $", until.to_chrono());
        }
        if let Some(topic) = &self.topic {
            wanted.and("left(mqtt_topic, 200) LIKE $", prefix(topic));
            wanted.and("mqtt_topic ~ $", regex(topic));
        }
        if !self.reasons.is_empty() {
            wanted.and("reason = ANY($)", self.reasons.clone());
        }
        if let Some(route) = &self.route {
            let begin: String = route.chars().take(INDEXED_CHARS).collect();
            wanted.and("left(route, 200) = $", begin);
            wanted.and("route = $", route.clone());
        }
        if let Some(broker) = &self.broker {
            wanted.and("mqtt_broker = $", broker.clone());
        }
        match self.states.as_slice() {
            [] => {}
            // Said as a constant, or the index of open letters could not be used.
            [State::Open] => wanted.condition("state = 'open'".to_owned()),
            states => {
                let words: Vec<&'static str> = states.iter().map(|state| state.as_str()).collect();
                wanted.and("state = ANY($)", words);
            }
        }
        wanted
    }

    /// True where nothing but the state is asked for.
    #[must_use]
    pub fn is_unbounded(&self) -> bool {
        Self { states: Vec::new(), ..self.clone() } == Self::default()
    }
}

// === impl Wanted ===

impl Wanted {
    /// A condition; `$` stands for the value.
    pub(super) fn and(&mut self, condition: &str, value: impl ToSql + Sync + Send + 'static) {
        let place = self.value(value);
        self.condition(condition.replacen('$', &place, 1));
    }

    /// A condition with its values in place.
    pub(super) fn condition(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    /// A value that is no condition; gives its place.
    pub(super) fn value(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    /// The statement with the conditions. They can't be parameters that may be NULL: PostgreSQL would plan for all of them
    /// at once, and use the index of none.
    pub(super) fn conditioned(&self, sql: &str) -> String {
        let conditions = match self.conditions.as_slice() {
            [] => String::new(),
            conditions => format!("WHERE {}", conditions.join(" AND ")),
        };
        sql.replace("{where}", &conditions)
    }

    /// The same with a limit.
    pub(super) fn limited(&mut self, sql: &str, limit: i64) -> String {
        let place = self.value(limit);
        self.conditioned(sql).replace("{limit}", &place)
    }

    pub(super) fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}

/// A time as in 2026-11-20T10:00:00Z, or how long before `now`: 90s, 15m, 2h, 7d.
///
/// # Errors
/// What to write.
pub fn parse_time(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Some(time) = Timestamp::parse_rfc3339(text) {
        return Ok(time);
    }
    let wrong = || {
        format!(
            "{text:?} is no time: write it as 2026-11-20T10:00:00Z, or as a duration before now: 90s, 15m, 2h, 7d"
        )
    };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let second_count: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    Ok(Timestamp::from_micros(now.micros() - i64::from(count) * second_count * 1_000_000))
}

/// An MQTT topic filter, checked.
///
/// # Errors
/// What is wrong with it.
pub fn parse_topic(text: &str) -> Result<String, String> {
    check_filter(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// A LIKE pattern for what all topics of a filter begin with, as long as the index knows it.
fn prefix(filter: &str) -> String {
    let literal = match filter.find(['+', '#']) {
        // "a/#" matches "a" too.
        Some(at) if filter[at..].starts_with('#') => filter[..at].trim_end_matches('/'),
        Some(at) => &filter[..at],
        None => filter,
    };
    let mut pattern = String::new();
    for letter in literal.chars().take(INDEXED_CHARS) {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

/// A regular expression of PostgreSQL that matches what the MQTT filter matches.
fn regex(filter: &str) -> String {
    let mut pattern = String::from("^");
    if filter.starts_with(['+', '#']) {
        // Wildcards don't match $SYS and the like.
        pattern.push_str("(?!\\$)");
    }
    for (index, level) in filter.split('/').enumerate() {
        match level {
            "#" if index == 0 => pattern.push_str(".*"),
            "#" => pattern.push_str("(/.*)?"),
            _ => {
                if index > 0 {
                    pattern.push('/');
                }
                if level == "+" {
                    pattern.push_str("[^/]*");
                } else {
                    quote(level, &mut pattern);
                }
            }
        }
    }
    pattern.push('$');
    pattern
}

fn quote(text: &str, pattern: &mut String) {
    for letter in text.chars() {
        if letter.is_ascii_punctuation() {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_regular_expression() {
        for (filter, expected) in [
            ("a/+/c", "^a/[^/]*/c$"),
            ("a/#", "^a(/.*)?$"),
            ("#", "^(?!\\$).*$"),
            ("+/x.y", "^(?!\\$)[^/]*/x\\.y$"),
            ("a b/ä", "^a b/ä$"),
        ] {
            assert_eq!(regex(filter), expected);
        }
    }

    #[test]
    fn what_topics_begin_with_is_for_the_index() {
        for (filter, expected) in [("a/b_/+/c", "a/b\\_/%"), ("a/#", "a%"), ("#", "%"), ("a/b", "a/b%")] {
            assert_eq!(prefix(filter), expected);
        }
        let long = format!("{}/+", "ä".repeat(300));
        assert_eq!(prefix(&long), format!("{}%", "ä".repeat(200)));
    }

    #[test]
    fn a_time_is_absolute_or_before_now() {
        let now = Timestamp::parse_rfc3339("2026-11-20T10:00:00Z").unwrap();
        for (text, expected) in [
            ("2026-11-20T09:00:00+01:00", "2026-11-20T08:00:00Z"),
            ("90s", "2026-11-20T09:58:30Z"),
            ("15m", "2026-11-20T09:45:00Z"),
            ("2h", "2026-11-20T08:00:00Z"),
            ("7d", "2026-11-13T10:00:00Z"),
        ] {
            assert_eq!(parse_time(text, now).unwrap().to_string(), expected);
        }
        for wrong in ["", "h", "2", "-2h", "2 h", "2hä", "yesterday"] {
            assert!(parse_time(wrong, now).unwrap_err().contains("7d"), "{wrong}");
        }
    }

    #[test]
    fn only_the_state_is_no_bound() {
        assert!(Filter { states: vec![State::Open], ..Filter::default() }.is_unbounded());
        assert!(!Filter { topic: Some("a/#".to_owned()), ..Filter::default() }.is_unbounded());
    }
}
