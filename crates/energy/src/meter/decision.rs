//! What was decided on the way from readings to energy, and by which rule: values, so that a command, an API or a test
//! can say why a bucket holds what it holds.

use std::fmt;

use super::glitch::Side;
use crate::Register;

/// One decision, and the time it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The register; none where it is about power.
    pub register: Option<Register>,
    /// The instant of the reading before it, in µs.
    pub from_us: i64,
    /// The instant of the reading that it was decided at, in µs.
    pub to_us: i64,
    /// What was decided.
    pub decision: Decision,
}

/// What was decided, with its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// An interval longer than the reach: nothing is known of it. The register's difference is told nowhere else.
    Silence {
        /// What the register shows after it, less what it showed before.
        difference_mwh: i64,
    },
    /// Readings that went away and came back are ignored.
    Glitch {
        /// Below or above.
        side: Side,
        /// The register before them.
        before_mwh: i64,
        /// The lowest of them.
        lowest_mwh: i64,
        /// The highest of them.
        highest_mwh: i64,
        /// The register after them.
        after_mwh: i64,
        /// How many they are.
        readings: usize,
    },
    /// The operator has entered that the meter was replaced.
    Swap {
        /// When.
        at_us: i64,
        /// What the old one gave since its last reading.
        old_part_mwh: i64,
        /// What the new one gave up to its first reading.
        new_part_mwh: i64,
    },
    /// The operator's event can't be true: one of its parts is more than can have flowed, or far below zero.
    SwapRefused {
        /// When it was said to be.
        at_us: i64,
        /// What the old meter would have given since its last reading.
        old_part_mwh: i64,
        /// What the new one would have given up to its first reading.
        new_part_mwh: i64,
    },
    /// The device says that its counter began anew.
    NewEpoch {
        /// When.
        epoch_us: i64,
        /// What it has counted since.
        mwh: i64,
    },
    /// A rise of more than can have flowed: unknown.
    Jump {
        /// The rise; of a net register the change.
        rise_mwh: i64,
        /// What can have flowed since the register stood still, rounded down.
        room_mwh: i64,
        /// What is taken on top.
        allowance_mwh: i64,
    },
    /// A small fall, taken as it is.
    Dip {
        /// Below zero.
        mwh: i64,
    },
    /// The register ran over.
    Rollover {
        /// Where.
        modulus_mwh: i64,
        /// What flowed.
        mwh: i64,
    },
    /// The register began again at zero.
    Reset {
        /// Where it was.
        before_mwh: i64,
        /// What it has counted since.
        mwh: i64,
    },
    /// A fall that nothing explains, another meter most likely: unknown.
    UnexplainedFall {
        /// Where it was.
        before_mwh: i64,
        /// Where it is.
        after_mwh: i64,
    },
    /// A rise that came while the register stood still is shared over that time.
    Spread {
        /// Since when it stood still.
        begin_us: i64,
        /// The rise.
        mwh: i64,
    },
    /// An interval too long for a quarter-hour, shared evenly.
    Gap {
        /// Its length, in µs.
        interval_us: i64,
        /// The longest that is none, in µs.
        limit_us: i64,
        /// What is shared.
        mwh: i64,
    },
    /// Shared in proportion to power.
    Shaped {
        /// The length of the interval, in µs.
        interval_us: i64,
        /// What is shared.
        mwh: i64,
        /// What power alone would tell, rounded.
        power_mwh: i64,
    },
    /// A power beyond what the meter can take is none.
    PowerBeyond {
        /// The power.
        mw: i64,
        /// The most that it can be.
        max_mw: i64,
    },
}

// === impl Decision ===

impl Decision {
    /// The rule that it follows, by the number it has in the documentation.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Silence { .. } => "E3a",
            Self::Glitch { .. } => "E6",
            Self::Dip { .. } => "E7",
            Self::Jump { .. } => "E8",
            Self::Swap { .. } | Self::SwapRefused { .. } => "E9.1",
            Self::NewEpoch { .. } => "E9.2",
            Self::Rollover { .. } => "E9.3",
            Self::Reset { .. } => "E9.4",
            Self::UnexplainedFall { .. } => "E9.5",
            Self::Shaped { .. } => "E10",
            Self::Spread { .. } => "E11",
            Self::Gap { .. } => "E12",
            Self::PowerBeyond { .. } => "E13",
        }
    }

    /// The word for its kind.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Silence { .. } => "silence",
            Self::Glitch { .. } => "glitch",
            Self::Dip { .. } => "dip",
            Self::Jump { .. } => "jump",
            Self::Swap { .. } => "swap",
            Self::SwapRefused { .. } => "swap_refused",
            Self::NewEpoch { .. } => "new_epoch",
            Self::Rollover { .. } => "rollover",
            Self::Reset { .. } => "reset",
            Self::UnexplainedFall { .. } => "unexplained_fall",
            Self::Shaped { .. } => "shaped",
            Self::Spread { .. } => "spread",
            Self::Gap { .. } => "gap",
            Self::PowerBeyond { .. } => "power_beyond",
        }
    }

    /// Its numbers by name, energies and powers in thousandths of what their names say.
    #[must_use]
    pub fn numbers(&self) -> Vec<(&'static str, i64)> {
        match *self {
            Self::Silence { difference_mwh } => vec![("difference_mwh", difference_mwh)],
            Self::Glitch { before_mwh, lowest_mwh, highest_mwh, after_mwh, readings, .. } => vec![
                ("before_mwh", before_mwh),
                ("lowest_mwh", lowest_mwh),
                ("highest_mwh", highest_mwh),
                ("after_mwh", after_mwh),
                ("readings", i64::try_from(readings).unwrap_or(i64::MAX)),
            ],
            Self::Swap { at_us, old_part_mwh, new_part_mwh }
            | Self::SwapRefused { at_us, old_part_mwh, new_part_mwh } => {
                vec![("at_us", at_us), ("old_part_mwh", old_part_mwh), ("new_part_mwh", new_part_mwh)]
            }
            Self::NewEpoch { epoch_us, mwh } => vec![("epoch_us", epoch_us), ("mwh", mwh)],
            Self::Jump { rise_mwh, room_mwh, allowance_mwh } => {
                vec![("rise_mwh", rise_mwh), ("room_mwh", room_mwh), ("allowance_mwh", allowance_mwh)]
            }
            Self::Dip { mwh } => vec![("mwh", mwh)],
            Self::Rollover { modulus_mwh, mwh } => vec![("modulus_mwh", modulus_mwh), ("mwh", mwh)],
            Self::Reset { before_mwh, mwh } => vec![("before_mwh", before_mwh), ("mwh", mwh)],
            Self::UnexplainedFall { before_mwh, after_mwh } => {
                vec![("before_mwh", before_mwh), ("after_mwh", after_mwh)]
            }
            Self::Spread { begin_us, mwh } => vec![("begin_us", begin_us), ("mwh", mwh)],
            Self::Gap { interval_us, limit_us, mwh } => {
                vec![("interval_us", interval_us), ("limit_us", limit_us), ("mwh", mwh)]
            }
            Self::Shaped { interval_us, mwh, power_mwh } => {
                vec![("interval_us", interval_us), ("mwh", mwh), ("power_mwh", power_mwh)]
            }
            Self::PowerBeyond { mw, max_mw } => vec![("mw", mw), ("max_mw", max_mw)],
        }
    }
}

/// Thousandths as people read them: `-0.5`, `12`, `1021.4`.
struct Thousandths(i64);

impl fmt::Display for Thousandths {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(out, "{sign}{}", size / 1000)?;
        match size % 1000 {
            0 => Ok(()),
            rest => write!(out, ".{}", format!("{rest:03}").trim_end_matches('0')),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wh = Thousandths;
        match *self {
            Self::Silence { difference_mwh } => {
                write!(out, "silence: nothing is known, the register differs by {} Wh", wh(difference_mwh))
            }
            Self::Glitch { side, before_mwh, lowest_mwh, highest_mwh, after_mwh, readings } => write!(
                out,
                "glitch: {readings} readings {} ignored, {} to {} Wh between {} and {} Wh",
                if side == Side::Dip { "below" } else { "above" },
                wh(lowest_mwh),
                wh(highest_mwh),
                wh(before_mwh),
                wh(after_mwh)
            ),
            Self::Swap { old_part_mwh, new_part_mwh, .. } => write!(
                out,
                "meter replaced as entered: {} Wh by the old one, {} Wh by the new one",
                wh(old_part_mwh),
                wh(new_part_mwh)
            ),
            Self::SwapRefused { old_part_mwh, new_part_mwh, .. } => write!(
                out,
                "entered replacement can't be: {} Wh by the old meter, {} Wh by the new one",
                wh(old_part_mwh),
                wh(new_part_mwh)
            ),
            Self::NewEpoch { mwh, .. } => write!(out, "reset told by the device: {} Wh since", wh(mwh)),
            Self::Jump { rise_mwh, room_mwh, allowance_mwh } => write!(
                out,
                "jump: a change of {} Wh, at most {} + {} Wh can be: unknown",
                wh(rise_mwh),
                wh(room_mwh),
                wh(allowance_mwh)
            ),
            Self::Dip { mwh } => write!(out, "dip: {} Wh", wh(mwh)),
            Self::Rollover { modulus_mwh, mwh } => {
                write!(out, "rollover at {} Wh: {} Wh", wh(modulus_mwh), wh(mwh))
            }
            Self::Reset { before_mwh, mwh } => {
                write!(out, "reset: from {} Wh to zero, {} Wh since", wh(before_mwh), wh(mwh))
            }
            Self::UnexplainedFall { before_mwh, after_mwh } => {
                write!(out, "fall from {} to {} Wh, nobody knows why: unknown", wh(before_mwh), wh(after_mwh))
            }
            Self::Spread { mwh, .. } => {
                write!(out, "spread: {} Wh over the time in which the register stood still", wh(mwh))
            }
            Self::Gap { interval_us, limit_us, mwh } => write!(
                out,
                "gap: {} Wh shared evenly over {} s, above the {} s of a quarter-hour",
                wh(mwh),
                Thousandths(interval_us / 1000),
                Thousandths(limit_us / 1000)
            ),
            Self::Shaped { mwh, power_mwh, .. } => {
                write!(out, "shaped: {} Wh shared by power, which tells {} Wh", wh(mwh), wh(power_mwh))
            }
            Self::PowerBeyond { mw, max_mw } => {
                write!(out, "power of {} W is none: at most {} W can flow", wh(mw), wh(max_mw))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousandths_are_read_as_people_write_them() {
        let shown = [0, 12_000, -500, 1_021_400, -1].map(|mwh| Thousandths(mwh).to_string());
        assert_eq!(shown, ["0", "12", "-0.5", "1021.4", "-0.001"]);
    }

    #[test]
    fn a_decision_has_its_rule_its_word_its_numbers_and_a_sentence() {
        let reset = Decision::Reset { before_mwh: 838_857_600, mwh: 10_000 };
        assert_eq!((reset.rule(), reset.word()), ("E9.4", "reset"));
        assert_eq!(reset.numbers(), [("before_mwh", 838_857_600), ("mwh", 10_000)]);
        assert_eq!(reset.to_string(), "reset: from 838857.6 Wh to zero, 10 Wh since");
    }
}
