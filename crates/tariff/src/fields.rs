//! Objects with known keys only, and where each value stands.

use std::ops::Range;

use chrono::{DateTime, NaiveDateTime};
use chrono_tz::Tz;

use crate::clock::{QUARTER_S, Quarter};
use crate::day::{self, Day};
use crate::node::Node;
use crate::number::{Decimal, PRICE_PLACES, Wrong};
use crate::refusal::{Code, Refusal};

pub(crate) type Read<T> = Result<T, Refusal>;

/// Years that an instant may lie in, in s since 1970.
const INSTANTS_S: Range<i64> = 946_684_800..7_258_118_400;
const TEXT_BYTES_MAX: usize = 200;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct At<'a> {
    pub(crate) node: &'a Node<'a>,
    pub(crate) place: String,
}

/// An object of which every key is known.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    node: &'a Node<'a>,
    pub(crate) place: String,
}

// === impl At ===

impl<'a> At<'a> {
    pub(crate) fn refuse<T>(&self, code: Code) -> Read<T> {
        Err(Refusal::new(code, self.place.clone()))
    }

    pub(crate) fn object(&self, known: &[&str]) -> Read<Fields<'a>> {
        let Node::Object(fields) = self.node else { return self.refuse(Code::ValueUnknown) };
        if let Some((key, _)) = fields.iter().find(|(key, _)| !known.contains(&&**key)) {
            return Err(Refusal::new(Code::UnknownKey, joined(&self.place, key)));
        }
        Ok(Fields { node: self.node, place: self.place.clone() })
    }

    /// A list of at most so many.
    pub(crate) fn list(&self, most: usize) -> Read<Vec<At<'a>>> {
        let Node::List(items) = self.node else { return self.refuse(Code::ValueUnknown) };
        if items.len() > most {
            return self.refuse(Code::TooLarge);
        }
        let item = |(at, node)| At { node, place: format!("{}[{at}]", self.place) };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// A text, not an endless one.
    pub(crate) fn text(&self) -> Read<&'a str> {
        match self.node {
            Node::Text(text) if text.len() <= TEXT_BYTES_MAX => Ok(text),
            Node::Text(_) => self.refuse(Code::TooLarge),
            _ => self.refuse(Code::ValueUnknown),
        }
    }

    /// One of the words that mean something here.
    pub(crate) fn word<T: Copy>(&self, words: &[(&str, T)], code: Code) -> Read<T> {
        let Node::Text(text) = self.node else { return self.refuse(code) };
        words.iter().find(|(word, _)| word == text).map_or_else(|| self.refuse(code), |(_, value)| Ok(*value))
    }

    pub(crate) fn flag(&self) -> Read<bool> {
        match self.node {
            Node::Bool(flag) => Ok(*flag),
            _ => self.refuse(Code::ValueUnknown),
        }
    }

    /// A number as text, or as itself.
    pub(crate) fn number_text(&self) -> Read<&'a str> {
        match self.node {
            Node::Text(text) => Ok(text),
            Node::Number(text) => Ok(text),
            _ => self.refuse(Code::BadNumber),
        }
    }

    /// A decimal in units of 10^-`places`, within ±`most` units; `precise` is what more decimals are called.
    pub(crate) fn decimal(&self, places: u32, most: i64, precise: Code) -> Read<i64> {
        let value = Decimal::parse(self.number_text()?).and_then(|decimal| decimal.scaled(places));
        match value {
            Ok(value) if value.unsigned_abs() <= most.unsigned_abs() => Ok(value),
            Ok(_) | Err(Wrong::Bad) => self.refuse(Code::BadNumber),
            Err(Wrong::Precise) => self.refuse(precise),
        }
    }

    /// In 10⁻⁹, at most a million of the currency.
    pub(crate) fn price(&self) -> Read<i64> {
        self.decimal(PRICE_PLACES, 1_000_000_000_000_000, Code::PricePrecision)
    }

    pub(crate) fn whole(&self, range: Range<i64>, code: Code) -> Read<i64> {
        let value = Decimal::parse(self.number_text()?).and_then(|decimal| decimal.scaled(0)).ok();
        value.filter(|value| range.contains(value)).map_or_else(|| self.refuse(code), Ok)
    }

    pub(crate) fn day(&self) -> Read<Day> {
        let Node::Text(text) = self.node else { return self.refuse(Code::BadDate) };
        day::parse(text).map_or_else(|| self.refuse(Code::BadDate), Ok)
    }

    pub(crate) fn zone(&self) -> Read<Tz> {
        let Node::Text(text) = self.node else { return self.refuse(Code::ZoneUnknown) };
        text.parse().map_or_else(|_| self.refuse(Code::ZoneUnknown), Ok)
    }

    /// In µs since 1970.
    pub(crate) fn instant_us(&self) -> Read<i64> {
        let Node::Text(text) = self.node else { return self.refuse(Code::BadTime) };
        instant_us(text).or_else(|code| self.refuse(code))
    }

    /// On the grid of quarter-hours.
    pub(crate) fn quarter(&self) -> Read<Quarter> {
        quarter(self.instant_us()?).map_or_else(|| self.refuse(Code::OffGrid), Ok)
    }
}

// === impl Fields ===

impl<'a> Fields<'a> {
    /// What is there and not null.
    pub(crate) fn get(&self, key: &str) -> Option<At<'a>> {
        let node = self.node.get(key).filter(|node| **node != Node::Null)?;
        Some(At { node, place: joined(&self.place, key) })
    }

    pub(crate) fn need(&self, key: &str, code: Code) -> Read<At<'a>> {
        self.get(key).ok_or_else(|| Refusal::new(code, joined(&self.place, key)))
    }

    /// A list that may be left away.
    pub(crate) fn list(&self, key: &str, most: usize) -> Read<Vec<At<'a>>> {
        self.get(key).map_or_else(|| Ok(Vec::new()), |at| at.list(most))
    }

    pub(crate) fn map<T>(&self, key: &str, read: impl FnOnce(At<'a>) -> Read<T>) -> Read<Option<T>> {
        self.get(key).map(read).transpose()
    }

    pub(crate) fn refuse<T>(&self, code: Code) -> Read<T> {
        Err(Refusal::new(code, self.place.clone()))
    }

    /// A name that is not empty.
    pub(crate) fn id(&self) -> Read<String> {
        let at = self.need("id", Code::ValueUnknown)?;
        match at.text()? {
            "" => at.refuse(Code::ValueUnknown),
            text => Ok(text.to_owned()),
        }
    }

    pub(crate) fn flag(&self, key: &str) -> Read<bool> {
        Ok(self.map(key, |at| at.flag())?.unwrap_or(false))
    }
}

/// An instant with an offset, in µs since 1970; seconds may be left away.
pub(crate) fn instant_us(text: &str) -> Result<i64, Code> {
    let text = text.trim();
    let with_seconds = || text.get(16..).map(|rest| format!("{}:00{rest}", &text[..16]));
    let parsed = DateTime::parse_from_rfc3339(text)
        .ok()
        .or_else(|| DateTime::parse_from_rfc3339(&with_seconds()?).ok())
        .or_else(|| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").ok());
    let Some(time) = parsed else {
        let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
        let is_local = local.iter().any(|format| NaiveDateTime::parse_from_str(text, format).is_ok());
        return Err(if is_local { Code::NoOffset } else { Code::BadTime });
    };
    if INSTANTS_S.contains(&time.timestamp()) { Ok(time.timestamp_micros()) } else { Err(Code::BadTime) }
}

/// The quarter-hour that begins at an instant.
pub(crate) fn quarter(us: i64) -> Option<Quarter> {
    let quarter_us = QUARTER_S * 1_000_000;
    (us.rem_euclid(quarter_us) == 0).then(|| us.div_euclid(quarter_us))
}

fn joined(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}
