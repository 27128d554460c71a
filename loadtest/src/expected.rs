//! What must come of a plan: how many of each outcome, and which meters.

use std::ops::AddAssign;

use serde::Serialize;

use crate::dialect::Dialect;
use crate::fleet::lines;
use crate::plan::{Disturbance, Plan};

/// What must come of a plan, exactly, when nothing is delivered twice. A redelivery by the broker or by a
/// publisher that reconnected adds to `duplicate` and `conflict` only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// Messages published.
    pub messages: u64,
    /// Messages that are no reading.
    pub dead_letters: u64,
    /// Records in the readings topic.
    pub records: u64,
    /// Rows in the table.
    pub stored: u64,
    /// Records that completed a row.
    pub merged: u64,
    /// Records that said what the table knew.
    pub duplicate: u64,
    /// Records that contradicted the table.
    pub conflict: u64,
    /// Messages with nothing to store.
    pub ignored: u64,
}

// === impl Expected ===

impl AddAssign for Expected {
    /// What must come of two plans.
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.dead_letters += other.dead_letters;
        self.records += other.records;
        self.stored += other.stored;
        self.merged += other.merged;
        self.duplicate += other.duplicate;
        self.conflict += other.conflict;
        self.ignored += other.ignored;
    }
}

// === impl Plan ===

impl Plan {
    /// Every outcome of this plan, counted.
    #[must_use]
    pub fn expected(&self) -> Expected {
        if self.mixed {
            return mixed(self);
        }
        let mut expected = Expected::default();
        for meter in 0..self.meters {
            for index in 0..self.readings {
                expected.stored += 1;
                match self.disturbance(meter, index) {
                    Disturbance::None | Disturbance::OutOfOrder(_) => {}
                    Disturbance::Duplicate(_) => expected.duplicate += 1,
                    Disturbance::Garbage(_) => expected.dead_letters += 1,
                    Disturbance::Conflict => expected.conflict += 1,
                    Disturbance::Split => expected.merged += 1,
                }
            }
        }
        expected.records = expected.stored + expected.merged + expected.duplicate + expected.conflict;
        expected.messages = expected.records + expected.dead_letters;
        expected
    }
}

/// The meters as they must be called in the registry.
pub(crate) fn meter_ids(plan: &Plan) -> Vec<String> {
    let ids = (0..plan.meters).flat_map(|meter| {
        let first = lines(plan, meter).find_map(|line| line.made);
        first.map(|made| Dialect::of(meter).meter_id(&plan.meter_id(meter), made.channel))
    });
    ids.collect()
}

/// Every outcome, counted. Parts that arrive in one µs would be merged: what counts is stored + merged.
fn mixed(plan: &Plan) -> Expected {
    let mut expected = Expected::default();
    for line in (0..plan.meters).flat_map(|meter| lines(plan, meter)) {
        expected.messages += 1;
        match line.made {
            Some(_) => expected.stored += 1,
            None => expected.ignored += 1,
        }
    }
    expected.records = expected.stored;
    expected
}
