//! The chosen messages whose records wait to be computed: the span of the group that does it links to them.

use wattline_service::traces::{ChosenMessage, LINKS_MAX, Links};

use crate::marks::Taken;

/// Those of one partition, at most [`LINKS_MAX`]; more say nothing new.
#[derive(Debug, Default)]
pub(crate) struct Traced(Vec<Waiting>);

#[derive(Debug)]
struct Waiting {
    meter: Box<str>,
    ts_us: i64,
    message: ChosenMessage,
}

// === impl Traced ===

impl Traced {
    /// Nobody waits, as always while traces are off.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A record of this meter and instant is of that message.
    pub(crate) fn add(&mut self, meter: &str, ts_us: i64, message: ChosenMessage) {
        if self.0.len() < LINKS_MAX {
            self.0.push(Waiting { meter: meter.into(), ts_us, message });
        }
    }

    /// Moves those that are in a range of their partition's, `number`, to `links`.
    pub(crate) fn take(&mut self, number: i32, group: &[(i32, Taken)], links: &mut Links) {
        let is_in = |waiting: &Waiting, taken: &Taken| {
            let range = taken.changed.first_us..=taken.changed.last_us;
            *taken.meter == *waiting.meter && range.contains(&waiting.ts_us)
        };
        self.0.retain(|waiting| {
            let found = group.iter().any(|(of, taken)| *of == number && is_in(waiting, taken));
            if found {
                links.add(waiting.message.clone());
            }
            !found
        });
    }
}
