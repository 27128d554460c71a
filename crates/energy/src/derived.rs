//! Power from registers, for a meter that sends none: for display only, never stored, never used in energy.

use crate::chain::{Link, chain};
use crate::span::spans;
use crate::{Register, Row, Rules};

/// A register that moves by at least so much is coarse, in mWh: hours lie between two of its steps.
const COARSE_MWH: i64 = 100_000;
/// What has stood still for longer before it moved is taken to have begun then, in µs: every register is read once a day.
pub const STILL_US_MAX: i64 = 26 * 3_600 * 1_000_000;
/// mWh in a µs, as mW.
const MW_PER_MWH_US: i128 = 3_600_000_000;

/// For when, and of which meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The instant, in µs.
    pub now_us: i64,
    /// Registers that are older say nothing of now, in µs.
    pub age_us_max: i64,
    /// By how much its registers move at least, in mWh, where that is known.
    pub resolution_mwh: Option<i64>,
}

/// Mean power in mW since the registers stood where they had stood before, import less export. `rows` are the meter's
/// newest, in order of time. None: power is sent, a register is old, or what it counted last is not known.
#[must_use]
pub fn derived_power_mw(rows: &[Row], asked: &Asked, rules: &Rules) -> Option<i64> {
    let mut flows = Vec::new();
    for register in Register::BOTH {
        let links: Vec<Link> = chain(rows, register).collect();
        if !links.is_empty() {
            flows.push((register, flow(&links, asked, rules)?));
        }
    }
    let from_us = flows.iter().map(|(_, flow)| flow.from_us).min()?;
    let most_mw = rules.power_w_max * 1000;
    let tells = |row: &Row| row.ts_us >= from_us && row.power_mw.is_some_and(|mw| mw.abs() <= most_mw);
    if rows.iter().any(tells) {
        return None;
    }
    let signed = flows.iter().map(|(register, flow)| match register {
        Register::Import => flow.mw,
        Register::Export => -flow.mw,
    });
    Some(signed.sum())
}

/// What flows through one register, and from when on that is the mean.
struct Flow {
    from_us: i64,
    mw: i64,
}

fn flow(links: &[Link], asked: &Asked, rules: &Rules) -> Option<Flow> {
    let runs = runs(links, rules);
    let (newest, before) = runs.split_last()?;
    if asked.now_us - newest.last.ts_us > asked.age_us_max {
        return None;
    }
    let Some((still, earlier)) = before.split_last() else {
        return unmoved(newest, asked);
    };
    let step = Step { a: still.last, b: newest.first };
    let one = step.is_one(asked, rules);
    let begin_us = still.last.ts_us - STILL_US_MAX;
    // Since when one step has been on its way is known only where the step before it is.
    if one && earlier.is_empty() && still.first.ts_us > begin_us {
        return None;
    }
    let from_us = if one { still.first.ts_us.max(begin_us) } else { step.a.ts_us };
    let mw = power_mw(step.mwh(), step.b.ts_us - from_us);
    if newest.first == newest.last {
        return Some(Flow { from_us, mw });
    }
    // It stands still again: less than a step has flowed since.
    let next_mwh = if one { step.mwh() } else { asked.resolution_mwh.unwrap_or(0) };
    Some(Flow { from_us, mw: mw.min(power_mw(next_mwh, asked.now_us - step.b.ts_us)) })
}

/// Of a register that has not moved as far back as is known. Of a coarse one that says little, but for one that has
/// never counted or stands still for longer than any step takes.
fn unmoved(run: &Run, asked: &Asked) -> Option<Flow> {
    let coarse = asked.resolution_mwh.is_some_and(|mwh| mwh >= COARSE_MWH);
    let known_us = run.last.ts_us - run.first.ts_us;
    let nothing = known_us > 0 && (!coarse || run.last.mwh == 0 || known_us >= STILL_US_MAX);
    nothing.then_some(Flow { from_us: run.first.ts_us, mw: 0 })
}

/// Consecutive readings of one value.
struct Run {
    first: Link,
    last: Link,
}

/// The runs after the newest step of which nobody knows what flowed in it.
fn runs(links: &[Link], rules: &Rules) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &link in links {
        let last = runs.last_mut();
        match last {
            Some(run) if run.last.mwh == link.mwh => run.last = link,
            Some(run) if spans([run.last, link].into_iter(), rules).all(|span| span.mwh.is_none()) => {
                runs = vec![Run { first: link, last: link }];
            }
            _ => runs.push(Run { first: link, last: link }),
        }
    }
    runs
}

/// A register's move from one reading to the next.
#[derive(Clone, Copy)]
struct Step {
    a: Link,
    b: Link,
}

// === impl Step ===

impl Step {
    /// The energy; a dip is none.
    fn mwh(self) -> i64 {
        (self.b.mwh - self.a.mwh).max(0)
    }

    /// Whether it may have been on its way for as long as the register stood still: the register is coarse, moved by
    /// its smallest step, or by more than can have flowed between the two readings.
    fn is_one(self, asked: &Asked, rules: &Rules) -> bool {
        let small = asked.resolution_mwh.is_some_and(|mwh| mwh >= COARSE_MWH || self.mwh() <= mwh);
        let most_mwh = rules.room_mwh(self.b.ts_us - self.a.ts_us) + i128::from(rules.dip_mwh);
        small || i128::from(self.mwh()) > most_mwh
    }
}

/// So much energy in so much time, half up.
fn power_mw(mwh: i64, us: i64) -> i64 {
    let us = i128::from(us.max(1));
    let mw = (2 * i128::from(mwh) * MW_PER_MWH_US + us).div_euclid(2 * us);
    i64::try_from(mw).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "derived_tests.rs"]
mod tests;
