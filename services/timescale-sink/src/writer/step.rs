//! What a failed try means for the batch: narrow it down, write it another way, wait, or stop.

use crate::failure::{Class, Failure};
use crate::metrics::Way;

/// What to do after a failed try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Each set by itself.
    Split,
    /// The one set in two.
    Halve,
    /// The same sets, another way.
    Try(Way),
    /// The same again, after a wait.
    Wait,
    /// Read the offset row again and go on from there.
    Reclaim,
    /// A person must do something.
    Stop,
}

/// After a try to write so many sets, with so many records, this way.
pub(super) fn next_step(failure: &Failure, sets: usize, records: usize, way: Way) -> Step {
    if matches!(failure, Failure::Fenced(_)) {
        return if sets > 1 { Step::Split } else { Step::Reclaim };
    }
    if failure.is_unique_violation() && way == Way::Copy {
        return Step::Try(Way::Upsert);
    }
    of_class(failure.class(), sets, records, way)
}

fn of_class(class: Class, sets: usize, records: usize, way: Way) -> Step {
    match class {
        Class::Transient => Step::Wait,
        Class::Data | Class::Cancelled | Class::Stop if sets > 1 => Step::Split,
        Class::Data if way != Way::Bisect => Step::Try(Way::Bisect),
        // What takes longer than statement_timeout does so again, half of it may not.
        Class::Cancelled if records > 1 => Step::Halve,
        Class::Data | Class::Cancelled | Class::Stop => Step::Stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_race_is_narrowed_down_and_read_again() {
        let fenced = Failure::Fenced(Vec::new());
        assert_eq!(next_step(&fenced, 3, 9, Way::Copy), Step::Split);
        assert_eq!(next_step(&fenced, 1, 9, Way::Copy), Step::Reclaim);
    }

    #[test]
    fn a_database_that_is_away_is_waited_for() {
        let away = Failure::Connect("refused".to_owned());
        assert_eq!(next_step(&away, 3, 9, Way::Copy), Step::Wait);
        assert_eq!(next_step(&away, 1, 9, Way::Bisect), Step::Wait);
    }

    #[test]
    fn what_takes_too_long_is_halved() {
        let slow = |sets, records| of_class(Class::Cancelled, sets, records, Way::Copy);
        assert_eq!((slow(2, 9), slow(1, 9), slow(1, 1)), (Step::Split, Step::Halve, Step::Stop));
    }
}
