//! Offsets for which nothing came.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tracing::{debug, warn};
use wattline_stream::ask::watermarks;

use super::Computer;
use crate::consume::Member;
use crate::stream::{Hole, Stream};

impl Computer {
    /// Offsets for which nothing came hold no record, if Kafka still keeps everything from the first of them on. Else the
    /// partition is claimed anew, which makes up for what was deleted before it was read.
    ///
    /// Asked beside the reading, which goes on meanwhile: an answer waits behind the fetch that the broker holds back, and
    /// transactions leave a hole behind every few records. The own offset stays before the first.
    pub(super) fn look_into_holes(&mut self) {
        if self.asking_holes.as_ref().is_some_and(|asking| !asking.is_finished()) {
            return;
        }
        let holes = self.stream.holes();
        self.asking_holes = (!holes.is_empty()).then(|| {
            let (member, stream) = (Arc::clone(&self.member), Arc::clone(&self.stream));
            ask(member, stream, self.config.input.readings_topic.clone(), holes)
        });
    }
}

fn ask(member: Arc<Member>, stream: Arc<Stream>, topic: String, holes: Vec<(i32, Hole)>) -> JoinHandle<()> {
    tokio::spawn(async move {
        for (id, hole) in holes {
            match watermarks(&member, &topic, id).await {
                Ok((low, _)) if low <= hole.from => stream.close_hole(id, hole),
                Ok((low, _)) => {
                    warn!(
                        "partition {id}: Kafka begins at {low} now, and nothing came from {} on",
                        hole.from
                    );
                    stream.lose(&[id], 0);
                }
                Err(error) => {
                    debug!(
                        "nothing came for offset {} of partition {id}; why is not known: {error}",
                        hole.from
                    );
                }
            }
        }
    })
}
