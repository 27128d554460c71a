//! What became of a page's letters, in the table.

use tokio_postgres::GenericClient;

use super::fate::Fate;
use super::page::Whole;
use super::{Key, State, explain};

const MARK: &str = include_str!("../sql/dead_letters/mark.sql");

/// The columns of [`MARK`].
#[derive(Default)]
struct Columns<'a> {
    topics: Vec<&'a str>,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    states: Vec<&'static str>,
    state_details: Vec<Option<&'static str>>,
    readings: Vec<Option<i32>>,
    reasons: Vec<Option<&'static str>>,
    details: Vec<Option<String>>,
    routes: Vec<Option<&'a str>>,
    topic_ids: Vec<&'a str>,
}

/// Writes what became of the letters of a page.
pub(super) async fn mark(client: &impl GenericClient, page: &[Whole], fates: &[Fate]) -> anyhow::Result<()> {
    let mut columns = Columns::default();
    for (letter, fate) in page.iter().zip(fates) {
        columns.push(&letter.key, fate);
    }
    let marked = client
        .execute(
            MARK,
            &[
                &columns.topics,
                &columns.partitions,
                &columns.offsets,
                &columns.states,
                &columns.state_details,
                &columns.readings,
                &columns.reasons,
                &columns.details,
                &columns.routes,
                &columns.topic_ids,
            ],
        )
        .await;
    marked.map_err(|error| explain("Kafka has the readings, but the letters can't be marked", &error))?;
    Ok(())
}

// === impl Columns ===

impl<'a> Columns<'a> {
    fn push(&mut self, key: &'a Key, fate: &'a Fate) {
        self.topics.push(&key.topic);
        self.topic_ids.push(&key.topic_id);
        self.partitions.push(key.partition);
        self.offsets.push(key.offset);
        let (state, state_detail, readings, refused) = match fate {
            Fate::Replayed(readings) => (State::Replayed, None, Some(*readings), None),
            Fate::Ignored(why) => (State::Ignored, Some(*why), None, None),
            Fate::Refused(refused) => (State::Open, None, None, Some(refused)),
        };
        self.states.push(state.as_str());
        self.state_details.push(state_detail);
        self.readings.push(readings);
        self.reasons.push(refused.map(|refused| refused.reason.as_str()));
        // PostgreSQL's text has no NUL.
        self.details.push(refused.map(|refused| refused.detail.replace('\0', "\u{fffd}")));
        self.routes.push(refused.and_then(|refused| refused.route.as_deref()));
    }
}
