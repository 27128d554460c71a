//! Partitions that hold records and don't deliver them: they are not ready, and claimed anew now and then, for what is
//! damaged may have been cured or given up since.

use std::time::Instant;

use rdkafka::consumer::Consumer as _;
use tracing::{error, info};
use wattline_stream::{Partition as Id, silence};

use super::Member;
use crate::config::Config;
use crate::stream::{State, Stream};

/// Looks whether partitions deliver what they hold.
pub(super) fn listen(member: &Member, stream: &Stream, config: &Config, now: Instant) {
    let topic = &config.input.readings_topic;
    let mut silent = Vec::new();
    for (id, entry) in stream.lock().iter_mut() {
        if entry.state != State::Owned || entry.seek {
            continue;
        }
        if entry.missing.as_ref().is_some_and(|(from, _)| *from < entry.position) {
            entry.missing = None;
            info!(partition = id, "partition {id} delivers again");
        }
        // Nothing is wanted of a paused one.
        let fetching = (!entry.paused).then(|| member.context().fetching(Id::readings(*id))).flatten();
        if let Some(from) = entry.silence.look(fetching, now) {
            let why = silence::silent(topic, *id, from);
            error!(partition = id, "{why}");
            entry.missing = Some((from, why));
            silent.push(*id);
        }
    }
    stream.lose(&silent, 0);
}
