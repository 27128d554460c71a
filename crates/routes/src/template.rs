//! How a meter's id is made: text with `{N}` for the N-th level of the topic, `{N+}` for it and all behind it, and,
//! where the route is trusted, `{id}` for the payload's own.

use wattline_formats::Topic;
use wattline_reading::meter_id::spelled;

/// A meter id's parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    uses_id: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A topic level, counted from 1.
    Level(usize),
    /// A topic level and all behind it.
    From(usize),
    /// The payload's id.
    Id,
}

// === impl Template ===

impl Template {
    /// Reads a template for a filter. Without a topic level it names one meter: right where the filter has no
    /// wildcard, or the family speaks of `one_meter` on many topics.
    pub(super) fn parse(
        template: &str,
        filter: &str,
        trusted: bool,
        one_meter: bool,
    ) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = template;
        while let Some(open) = rest.find('{') {
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_owned()));
            }
            let close = rest[open..].find('}').ok_or("a { has no }")? + open;
            pieces.push(piece(&rest[open + 1..close])?);
            rest = &rest[close + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        let uses_id = pieces.contains(&Piece::Id);
        if uses_id && !trusted {
            return Err("{id} is the payload's, which counts alone only with trusted = true".to_owned());
        }
        let levels = filter.split('/').filter(|level| *level != "#").count();
        let wildcards = filter.contains(['+', '#']);
        let mut from_topic = uses_id || one_meter || !wildcards;
        for piece in &pieces {
            if let Piece::Level(number) | Piece::From(number) = piece {
                from_topic = true;
                if *number > levels && !filter.ends_with('#') {
                    return Err(format!("it wants topic level {number}, the filter has {levels}"));
                }
            }
        }
        if !from_topic {
            return Err("without a topic level all meters would be one".to_owned());
        }
        if pieces.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Self { pieces, uses_id })
    }

    /// The id of a message, which the limits' check gives its one spelling. A payload's id stands below the topic's (once, where
    /// both say the same in any spelling), or in its place where the route is trusted.
    pub(super) fn render(&self, topic: &str, id: Option<&str>, trusted: bool, channel: &str) -> String {
        let id = id.map(spelled);
        let id = id.as_deref();
        let mut text = String::with_capacity(32);
        match id {
            Some(id) if trusted && !self.uses_id => text.push_str(id),
            _ => self.render_pieces(&mut text, topic, id.unwrap_or_default()),
        }
        let says_it = |id: &str| {
            spelled(&text).strip_suffix(id).is_some_and(|before| before.is_empty() || before.ends_with('/'))
        };
        if let Some(id) = id.filter(|id| !trusted && !says_it(id)) {
            text.push('/');
            text.push_str(id);
        }
        if !channel.is_empty() {
            text.push('/');
            text.push_str(channel);
        }
        text
    }

    fn render_pieces(&self, text: &mut String, topic: &str, id: &str) {
        let topic = Topic(topic);
        for piece in &self.pieces {
            text.push_str(match piece {
                Piece::Text(piece) => piece,
                Piece::Level(number) => topic.level(*number),
                Piece::From(number) => topic.from(*number),
                Piece::Id => id,
            });
        }
    }
}

fn piece(text: &str) -> Result<Piece, String> {
    if text == "id" {
        return Ok(Piece::Id);
    }
    let (number, make): (&str, fn(usize) -> Piece) = match text.strip_suffix('+') {
        Some(number) => (number, Piece::From),
        None => (text, Piece::Level),
    };
    match number.parse::<usize>() {
        Ok(number) if (1..=64).contains(&number) => Ok(make(number)),
        _ => Err(format!("{{{text}}} is no topic level: write {{1}}, {{2}}, … or {{2+}}")),
    }
}
