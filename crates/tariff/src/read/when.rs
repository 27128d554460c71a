//! Conditions of the clock and the calendar, and the clock that they are about.

use super::names::Names;
use crate::fields::{At, Fields, Read};
use crate::model::{Days, When};
use crate::node::Node;
use crate::refusal::Code;

const LIST_MAX: usize = 400;
const DAY_QUARTERS: u8 = 96;
const DAYS_OF_MONTHS: [u16; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Zone, calendar and begin of the days of a component.
pub(super) fn days(fields: &Fields<'_>, names: &Names<'_>) -> Read<Days> {
    let calendar = |at: At<'_>| {
        let id = at.text()?;
        let place = names.calendars.iter().position(|(name, _)| name == id);
        place.map_or_else(|| at.refuse(Code::CalendarUnknown), Ok)
    };
    let begin = |at: At<'_>| match clock(at.text()?) {
        Some(begin) if begin < DAY_QUARTERS => Ok(begin),
        _ => at.refuse(Code::HoursOffGrid),
    };
    Ok(Days {
        zone: fields.map("zone", |at| at.zone())?,
        calendar: fields.map("calendar", calendar)?,
        begin: fields.map("day_starts_at", begin)?.unwrap_or(0),
    })
}

/// The conditions of a band, a weight or a window.
pub(super) fn when(at: &At<'_>, days: &Days) -> Read<When> {
    let fields = at.object(&["hours", "days", "dates", "kinds", "not_kinds"])?;
    let kinds = |at: At<'_>| {
        if days.calendar.is_none() {
            return at.refuse(Code::CalendarUnknown);
        }
        at.list(LIST_MAX)?.iter().map(|at| at.text().map(str::to_owned)).collect()
    };
    Ok(When {
        hours: fields.map("hours", |at| hours(&at))?,
        weekdays: fields.map("days", |at| weekdays(&at))?,
        dates: fields.map("dates", |at| dates(&at))?,
        kinds: fields.map("kinds", kinds)?,
        not_kinds: fields.map("not_kinds", kinds)?,
    })
}

/// A list, or one text alone.
fn texts<'a>(at: &At<'a>) -> Read<Vec<At<'a>>> {
    if matches!(at.node, Node::Text(_)) { Ok(vec![at.clone()]) } else { at.list(LIST_MAX) }
}

fn hours(at: &At<'_>) -> Read<u128> {
    let mut mask = 0_u128;
    for at in texts(at)? {
        let text = at.text()?;
        let ends = text.split_once(['-', '–']).and_then(|(from, to)| Some((clock(from)?, clock(to)?)));
        let Some((from, to)) = ends.filter(|(from, _)| *from < DAY_QUARTERS) else {
            return at.refuse(Code::HoursOffGrid);
        };
        if from == to {
            return at.refuse(Code::RangeEmpty);
        }
        let length = (to + DAY_QUARTERS - from) % DAY_QUARTERS;
        let length = if length == 0 { DAY_QUARTERS } else { length };
        for quarter in 0..length {
            mask |= 1 << ((from + quarter) % DAY_QUARTERS);
        }
    }
    Ok(mask)
}

/// Quarter-hours of `06:15`, up to `24:00`.
fn clock(text: &str) -> Option<u8> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str| (text.len() == 2 && text.is_ascii()).then(|| text.parse::<u8>().ok())?;
    let (hour, minute) = (number(hour)?, number(minute)?);
    let quarters = hour.checked_mul(4)? + minute / 15;
    (minute < 60 && minute % 15 == 0 && quarters <= DAY_QUARTERS).then_some(quarters)
}

fn weekdays(at: &At<'_>) -> Read<u8> {
    let mut mask = 0;
    for at in texts(at)? {
        let text = match at.node {
            Node::Number(text) => text,
            _ => at.text()?,
        };
        let ends = match text.split_once('-') {
            Some((from, to)) => weekday(from).zip(weekday(to)),
            None => weekday(text).map(|day| (day, day)),
        };
        let Some((mut day, last)) = ends else { return at.refuse(Code::DayUnknown) };
        mask |= 1 << day;
        while day != last {
            day = (day + 1) % 7;
            mask |= 1 << day;
        }
    }
    Ok(mask)
}

/// 0 is Monday: by its English name or the first letters of it, or by its number from 1.
fn weekday(text: &str) -> Option<u8> {
    const NAMES: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let text = text.trim().to_lowercase();
    if let Ok(number) = text.parse::<u8>() {
        return (1..=7).contains(&number).then(|| number - 1);
    }
    let place = NAMES.iter().position(|name| text.len() >= 2 && name.starts_with(&text))?;
    u8::try_from(place).ok()
}

fn dates(at: &At<'_>) -> Read<Vec<(u16, u16)>> {
    let mut ranges = Vec::new();
    for at in texts(at)? {
        let text = match at.node {
            Node::List(_) => at.list(2)?.iter().map(At::text).collect::<Read<Vec<_>>>()?.join("/"),
            _ => at.text()?.to_owned(),
        };
        match month_days(&text) {
            Some(range) => ranges.push(range),
            None => return at.refuse(Code::BadDate),
        }
    }
    Ok(ranges)
}

/// `11-01/03-31`, also with `..` or a dash between the dates, or one date alone.
fn month_days(text: &str) -> Option<(u16, u16)> {
    let separates = |char: char| matches!(char, '-' | '/' | '.' | ':' | '–' | ' ');
    let numbers: Vec<&str> = text.split(separates).filter(|part| !part.is_empty()).collect();
    let date = |month: &str, day: &str| {
        let number = |text: &str| (text.len() == 2).then(|| text.parse::<u16>().ok())?;
        let (month, day) = (number(month)?, number(day)?);
        let most = *DAYS_OF_MONTHS.get(usize::from(month.checked_sub(1)?))?;
        (1..=most).contains(&day).then_some(month * 100 + day)
    };
    match numbers[..] {
        [month, day] => date(month, day).map(|date| (date, date)),
        [one, two, three, four] => Some((date(one, two)?, date(three, four)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn month_days_are_pairs() {
        for text in ["11-01/03-31", "11-01..03-31", "11-01-03-31", "11-01 – 03-31"] {
            assert_eq!(month_days(text), Some((1101, 331)), "{text}");
        }
        assert_eq!(month_days("02-29"), Some((229, 229)));
        for text in ["", "02-30", "13-01", "1-1", "11-01/03", "00-10", "xx-01"] {
            assert_eq!(month_days(text), None, "{text}");
        }
    }

    #[test]
    fn weekdays_have_names_and_numbers() {
        assert_eq!(
            [weekday("mon"), weekday("Sunday"), weekday("th"), weekday("7")],
            [Some(0), Some(6), Some(3), Some(6)]
        );
        for text in ["", "m", "0", "8", "holiday", "monn"] {
            assert_eq!(weekday(text), None, "{text}");
        }
    }

    #[test]
    fn clocks_are_on_the_grid() {
        assert_eq!([clock("00:00"), clock("06:15"), clock("24:00")], [Some(0), Some(25), Some(96)]);
        for text in ["6:00", "06:10", "24:15", "25:00", "06", "06:60", "99:00"] {
            assert_eq!(clock(text), None, "{text}");
        }
    }
}
