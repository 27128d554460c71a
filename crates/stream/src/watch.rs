//! Watches that the topics are still the ones that the offsets belong to: a topic that is deleted and made anew under
//! the same name would else be read as if it were the old one, or, by a client that has given its partitions up, not at
//! all. Only a new client reads it, so that is what a change asks for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use tokio::time::MissedTickBehavior;
use tracing::warn;
use wattline_service::kafka::ClientEnded;

use crate::ask::{self, Topic};
use crate::id::{Stream, Topics};

/// What was found of the topics in one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing new.
    None,
    /// This one was made anew, or is another cluster's.
    Anew(String),
    /// This one has another number of partitions: a meter's records are in two of them from now on.
    Partitions {
        /// The topic.
        topic: String,
        /// How many it had.
        before: i32,
        /// How many it has.
        now: i32,
    },
}

/// What is known of the topics.
#[derive(Debug, Default)]
pub struct Known(HashMap<Stream, Topic>);

/// Looks at all topics every `interval`; ends when one of them was made anew or has another number of partitions: then a
/// new client claims all of them, and a person is told where a row doesn't fit. `tell` hears after each look whether Kafka
/// answers.
pub async fn watch<C: ConsumerContext + 'static>(
    consumer: Arc<BaseConsumer<C>>,
    topics: Topics,
    interval: Duration,
    tell: impl Fn(Option<String>),
) -> ClientEnded {
    let mut known = Known::default();
    let mut interval = tokio::time::interval(interval);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let mut problem = None;
        for (stream, name) in topics.iter() {
            match ask::topic(&consumer, name).await {
                Ok(topic) => match known.look(stream, name, topic) {
                    Change::None => {}
                    Change::Anew(topic) => return ClientEnded::TopicAnew(topic),
                    change @ Change::Partitions { .. } => return ClientEnded::Partitions(change.to_string()),
                },
                Err(text) => {
                    warn!("{text}");
                    problem = Some(text);
                }
            }
        }
        tell(problem);
    }
}

// === impl Known ===

impl Known {
    /// Compares what Kafka says of a topic with the first thing that it said.
    pub fn look(&mut self, stream: Stream, name: &str, now: Topic) -> Change {
        let Some(before) = self.0.get(&stream) else {
            self.0.insert(stream, now);
            return Change::None;
        };
        if before.identity != now.identity {
            self.0.insert(stream, now);
            return Change::Anew(name.to_owned());
        }
        let (before, now) = (before.partitions, now.partitions);
        if before == now { Change::None } else { Change::Partitions { topic: name.to_owned(), before, now } }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Anew(topic) => write!(out, "the topic {topic} was made anew, or is another cluster's"),
            Self::Partitions { topic, before, now } => {
                write!(out, "the topic {topic} had {before} partitions and has {now}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use wattline_service::TopicIdentity;

    use super::*;

    fn topic(id: &str, partitions: i32) -> Topic {
        let identity = TopicIdentity { cluster_id: "c".to_owned(), topic_id: id.to_owned() };
        Topic { identity, partitions }
    }

    #[test]
    fn another_identity_or_number_of_partitions_is_a_change() {
        let mut known = Known::default();
        let mut look = |id, partitions| known.look(Stream::Readings, "r", topic(id, partitions));
        assert_eq!(look("a", 12), Change::None);
        assert_eq!(look("a", 12), Change::None);
        let more = Change::Partitions { topic: "r".to_owned(), before: 12, now: 24 };
        assert_eq!(look("a", 24), more);
        assert_eq!(look("a", 24), more, "until a person has acted");
        assert_eq!(look("b", 12), Change::Anew("r".to_owned()));
        assert_eq!(look("b", 12), Change::None);
    }
}
