//! Which partition of which topic.

/// Which of Wattline's topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Messages that could not become readings.
    DeadLetters,
    /// Readings.
    Readings,
}

/// One partition of one of the topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// Its topic.
    pub stream: Stream,
    /// Its number, from 0.
    pub number: i32,
}

/// The topics that a consumer reads, by name.
#[derive(Clone, Debug)]
pub struct Topics(Vec<(Stream, String)>);

/// A record by which a log is known again: one that has lost its tail and was written on has another one there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its offset.
    pub offset: i64,
    /// The time that Kafka gives for it, in milliseconds since 1970.
    pub at_ms: i64,
}

// === impl Partition ===

impl Partition {
    /// A partition of the readings topic.
    #[must_use]
    pub const fn readings(number: i32) -> Self {
        Self { stream: Stream::Readings, number }
    }
}

// === impl Topics ===

impl Topics {
    /// These, under these names.
    #[must_use]
    pub fn new(topics: impl IntoIterator<Item = (Stream, String)>) -> Self {
        Self(topics.into_iter().collect())
    }

    /// The name of one; empty for one that the consumer doesn't read, which no partition of its own ever names.
    #[must_use]
    pub fn of(&self, stream: Stream) -> &str {
        self.0.iter().find(|(known, _)| *known == stream).map_or("", |(_, name)| name)
    }

    /// Which one has this name.
    #[must_use]
    pub fn stream(&self, topic: &str) -> Option<Stream> {
        self.0.iter().find(|(_, name)| name == topic).map(|(stream, _)| *stream)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (Stream, &str)> {
        self.0.iter().map(|(stream, name)| (*stream, name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_known_by_both_names() {
        let topics = Topics::new([(Stream::Readings, "r".to_owned())]);
        assert_eq!(topics.of(Stream::Readings), "r");
        assert_eq!(topics.stream("r"), Some(Stream::Readings));
        assert_eq!((topics.of(Stream::DeadLetters), topics.stream("d")), ("", None));
    }
}
