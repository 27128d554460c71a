//! Which band a quarter-hour falls into: the first that fits.

use crate::clock::Local;
use crate::day::{self, Day};
use crate::model::{Band, Calendar, Days, When};

/// Of a quarter-hour outside of the calendar.
pub(crate) const UNKNOWN: u8 = u8::MAX;

/// The conditions of a component's days, each date looked at once.
pub(crate) struct Conditions<'a> {
    whens: Vec<&'a When>,
    calendar: Option<&'a Calendar>,
    begin: u8,
    /// The date looked at last, and which conditions it fulfils; none outside of the calendar.
    cached: Option<(Day, Option<u64>)>,
}

/// The band of each quarter-hour.
pub(crate) fn bands(bands: &[Band], days: &Days, calendars: &[Calendar], locals: &[Local]) -> Vec<u8> {
    if bands.len() == 1 && days.calendar.is_none() {
        return vec![0; locals.len()];
    }
    let mut conditions = Conditions::new(bands.iter().map(|band| &band.when).collect(), days, calendars);
    locals.iter().map(|local| conditions.first(*local).unwrap_or(UNKNOWN)).collect()
}

// === impl Conditions ===

impl<'a> Conditions<'a> {
    pub(crate) fn new(whens: Vec<&'a When>, days: &Days, calendars: &'a [Calendar]) -> Self {
        let calendar = days.calendar.map(|place| &calendars[place]);
        Self { whens, calendar, begin: days.begin, cached: None }
    }

    /// The first that is fulfilled; none outside of the calendar, or where none is.
    pub(crate) fn first(&mut self, local: Local) -> Option<u8> {
        let day = local.day - i32::from(local.time < self.begin);
        let fulfilled = match self.cached {
            Some((cached, fulfilled)) if cached == day => fulfilled,
            _ => {
                let fulfilled = self.of_day(day);
                self.cached = Some((day, fulfilled));
                fulfilled
            }
        }?;
        let fits = |when: &When| when.hours.is_none_or(|hours| hours >> local.time & 1 == 1);
        let place =
            (0..self.whens.len()).find(|place| fulfilled >> place & 1 == 1 && fits(self.whens[*place]));
        place.and_then(|place| u8::try_from(place).ok())
    }

    fn of_day(&self, day: Day) -> Option<u64> {
        let word = match self.calendar {
            Some(calendar) if !calendar.days.contains(&day) => return None,
            Some(calendar) => {
                let place = calendar.words.binary_search_by_key(&day, |(day, _)| *day);
                place.map_or("", |place| &calendar.words[place].1)
            }
            None => "",
        };
        let fulfilled = self.whens.iter().enumerate().filter(|(_, when)| when.fits_day(day, word));
        Some(fulfilled.fold(0, |bits, (place, _)| bits | 1 << place))
    }
}

// === impl When ===

impl When {
    /// All conditions but that of hours.
    fn fits_day(&self, day: Day, word: &str) -> bool {
        let has = |words: &Vec<String>| words.iter().any(|other| other == word);
        let date = day::month_day(day);
        let is_in = |(from, to): &(u16, u16)| {
            if from <= to { (*from..=*to).contains(&date) } else { date >= *from || date <= *to }
        };
        self.weekdays.is_none_or(|bits| bits >> day::weekday(day) & 1 == 1)
            && self.dates.as_ref().is_none_or(|ranges| ranges.iter().any(is_in))
            && self.kinds.as_ref().is_none_or(has)
            && self.not_kinds.as_ref().is_none_or(|words| !has(words))
    }
}
