//! Published prices, and which of them counts in a quarter-hour.

use std::ops::Range;

use crate::clock::Quarter;

/// A list of prices that was published at once.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    pub(crate) is_final: bool,
    /// When, in µs since 1970.
    pub(crate) published_us: i64,
    pub(crate) revision: i64,
    /// Quarter-hours with a price, in 10⁻⁹ per kWh.
    pub(crate) prices: Vec<(Quarter, i64)>,
}

/// What is known of a quarter-hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// In 10⁻⁹ per kWh.
    pub(crate) price: i64,
    /// In µs since 1970.
    pub(crate) published_us: i64,
    pub(crate) is_estimate: bool,
}

/// All that is known of one series.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) id: String,
    pub(crate) currency: String,
    start: Quarter,
    newest: Vec<Option<Slot>>,
    first: Vec<Option<Slot>>,
}

/// Two values of one publication for one quarter-hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conflict;

// === impl Publication ===

impl Publication {
    fn key(&self) -> (bool, i64, i64) {
        (self.is_final, self.published_us, self.revision)
    }
}

// === impl Series ===

impl Series {
    /// Whatever the order in which publications came.
    pub(crate) fn new(id: String, currency: String, publications: &[Publication]) -> Result<Self, Conflict> {
        let all = || publications.iter().flat_map(|one| one.prices.iter().map(|price| price.0));
        let start = all().min().unwrap_or(0);
        let length = all().max().map_or(0, |last| index(last - start) + 1);
        let mut ordered: Vec<&Publication> = publications.iter().collect();
        ordered.sort_by_key(|one| one.key());
        check(&ordered)?;
        let (mut newest, mut first) = (vec![None; length], vec![None; length]);
        for publication in &ordered {
            write(&mut newest, publication, start);
        }
        let (finals, estimates): (Vec<_>, Vec<_>) = ordered.into_iter().partition(|one| one.is_final);
        for publication in estimates.into_iter().chain(finals.into_iter().rev()) {
            write(&mut first, publication, start);
        }
        Ok(Self { id, currency, start, newest, first })
    }

    /// The price that counts, of the newest or of the first publication.
    pub(crate) fn at(&self, quarter: Quarter, first: bool) -> Option<Slot> {
        let slots = if first { &self.first } else { &self.newest };
        let place = quarter.checked_sub(self.start).filter(|place| *place >= 0)?;
        slots.get(index(place)).copied().flatten()
    }

    /// What is known of several quarter-hours, and how many of them are.
    pub(crate) fn sum(&self, quarters: Range<Quarter>, first: bool) -> (Option<Slot>, i64, i128) {
        let (mut whole, mut count, mut sum): (Option<Slot>, i64, i128) = (None, 0, 0);
        for slot in quarters.filter_map(|quarter| self.at(quarter, first)) {
            count += 1;
            sum += i128::from(slot.price);
            let before = whole.unwrap_or(slot);
            whole = Some(Slot {
                price: 0,
                published_us: before.published_us.max(slot.published_us),
                is_estimate: before.is_estimate || slot.is_estimate,
            });
        }
        (whole, count, sum)
    }
}

/// One publication may come in several pieces, which must not contradict each other.
fn check(ordered: &[&Publication]) -> Result<(), Conflict> {
    for pieces in ordered.chunk_by(|one, two| one.key() == two.key()) {
        let mut prices: Vec<(Quarter, i64)> =
            pieces.iter().flat_map(|one| one.prices.iter().copied()).collect();
        prices.sort_unstable();
        if prices.windows(2).any(|two| two[0].0 == two[1].0 && two[0].1 != two[1].1) {
            return Err(Conflict);
        }
    }
    Ok(())
}

fn write(slots: &mut [Option<Slot>], publication: &Publication, start: Quarter) {
    for &(quarter, price) in &publication.prices {
        slots[index(quarter - start)] =
            Some(Slot { price, published_us: publication.published_us, is_estimate: !publication.is_final });
    }
}

fn index(place: i64) -> usize {
    usize::try_from(place).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publication(is_final: bool, published_us: i64, revision: i64, prices: &[(i64, i64)]) -> Publication {
        Publication { is_final, published_us, revision, prices: prices.to_vec() }
    }

    fn prices(publications: &[Publication], first: bool) -> Vec<Option<i64>> {
        let series = Series::new("s".into(), "EUR".into(), publications).unwrap();
        (0..4).map(|quarter| series.at(quarter, first).map(|slot| slot.price)).collect()
    }

    #[test]
    fn the_newest_final_counts_or_the_first_and_an_estimate_only_without_one() {
        let mut publications = [
            publication(true, 10, 1, &[(0, 5), (1, 5)]),
            publication(true, 10, 2, &[(1, 6)]),
            publication(true, 11, 1, &[(0, 7)]),
            publication(false, 99, 9, &[(0, 1), (2, 1)]),
            publication(false, 98, 9, &[(2, 2)]),
        ];
        for _ in 0..publications.len() {
            publications.rotate_left(1);
            assert_eq!(prices(&publications, false), [Some(7), Some(6), Some(1), None]);
            assert_eq!(prices(&publications, true), [Some(5), Some(5), Some(1), None]);
        }
    }

    #[test]
    fn one_publication_has_one_value_for_a_quarter_hour() {
        let twice = |price| {
            let pieces = [publication(true, 1, 1, &[(0, 5)]), publication(true, 1, 1, &[(0, price)])];
            Series::new(String::new(), String::new(), &pieces).map(|_| ())
        };
        assert_eq!((twice(5), twice(6)), (Ok(()), Err(Conflict)));
    }
}
