//! JSON as devices write it, borrowed from the payload. Numbers stay decimal text, because a register must not
//! pass through floating point; `NaN` and `Infinity`, which some bridges write, are read too.

use std::borrow::Cow;

use wattline_reading::Reason;
use wattline_reading::limits::{Refusal, refuse};

/// Deeper than any device nests, and far from the end of the stack.
const DEPTH_MAX: usize = 64;

/// A JSON value. Of equal keys in one object the last counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`, and `NaN`: a firmware's way to say that there is no value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number's own characters.
    Number(&'a str),
    /// A text without its escapes.
    Text(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object, in the order of the payload.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

// === impl Json ===

impl<'a> Json<'a> {
    /// Reads a payload: one value, in UTF-8, with or without a byte order mark or a C string's closing NUL.
    ///
    /// # Errors
    /// `malformed`, with the place and what is wrong there.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Refusal> {
        let text = text(payload)?;
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0)?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.error("something follows the value"));
        }
        Ok(value)
    }

    /// An object's field; `null` is as if it were not there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => {
                let found = fields.iter().rev().find(|(name, _)| name == key);
                found.map(|(_, value)| value).filter(|value| **value != Self::Null)
            }
            _ => None,
        }
    }

    /// The fields of an object; none for anything else.
    #[must_use]
    pub fn fields(&self) -> &[(Cow<'a, str>, Self)] {
        match self {
            Self::Object(fields) => fields,
            _ => &[],
        }
    }

    /// The items of an array; none for anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// The characters of a number or a text.
    #[must_use]
    pub fn scalar(&self) -> Option<&str> {
        match self {
            Self::Number(text) => Some(text),
            Self::Text(text) => Some(text.trim()),
            _ => None,
        }
    }

    /// The characters of a text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// True for an object.
    #[must_use]
    pub const fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }
}

/// A payload as text: without byte order mark, white space around it and closing NULs.
///
/// # Errors
/// `malformed` where it is not UTF-8.
pub fn text(payload: &[u8]) -> Result<&str, Refusal> {
    let text = std::str::from_utf8(payload)
        .map_err(|error| refuse(Reason::Malformed, format!("the payload is not UTF-8: {error}")))?;
    Ok(text.trim_start_matches('\u{feff}').trim_matches(|c: char| c == '\0' || c.is_whitespace()))
}

// === impl Parser ===

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Result<Json<'a>, Refusal> {
        if depth > DEPTH_MAX {
            return Err(self.error("nested deeper than 64 levels"));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
            None => Err(self.error("it ends in the middle")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, Refusal> {
        self.at += 1;
        let mut fields = Vec::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Json::Object(fields));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.error("a field's name is expected"));
            }
            let name = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.error("`:` is expected"));
            }
            let value = self.value(depth + 1)?;
            fields.push((name, value));
            self.skip_space();
            if self.take(b'}') {
                return Ok(Json::Object(fields));
            }
            if !self.take(b',') {
                return Err(self.error("`,` or `}` is expected"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, Refusal> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            if !self.take(b',') {
                return Err(self.error("`,` or `]` is expected"));
            }
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Refusal> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        let end = loop {
            match self.peek() {
                Some(b'"') => break self.at,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
                None => return Err(self.error("a text has no end")),
            }
        };
        self.at = end + 1;
        let raw = &self.text[start..end];
        if escaped {
            unescape(raw).map(Cow::Owned).ok_or_else(|| self.error("a wrong escape"))
        } else {
            Ok(Cow::Borrowed(raw))
        }
    }

    fn number(&mut self) -> Result<Json<'a>, Refusal> {
        let rest = &self.text[self.at..];
        if let Some(word) = ["-Infinity", "-inf"].into_iter().find(|word| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(Json::Number(word));
        }
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
        let length = rest.bytes().take_while(|byte| is_part(byte)).count();
        let number = &rest[..length];
        if number.parse::<f64>().is_err() {
            return Err(self.error("no number"));
        }
        self.at += length;
        Ok(Json::Number(number))
    }

    fn word(&mut self) -> Result<Json<'a>, Refusal> {
        const WORDS: [(&str, Json<'static>); 8] = [
            ("null", Json::Null),
            ("true", Json::Bool(true)),
            ("false", Json::Bool(false)),
            ("NaN", Json::Null),
            ("nan", Json::Null),
            ("None", Json::Null),
            ("Infinity", Json::Number("Infinity")),
            ("inf", Json::Number("inf")),
        ];
        let rest = &self.text[self.at..];
        match WORDS.into_iter().find(|(word, _)| rest.starts_with(word)) {
            Some((word, value)) => {
                self.at += word.len();
                Ok(value)
            }
            None => Err(self.error("a value is expected")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn error(&self, what: &str) -> Refusal {
        refuse(Reason::Malformed, format!("JSON: {what} at byte {}", self.at.min(self.text.len())))
    }
}

fn unescape(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = *rest.as_bytes().get(at + 1)?;
        let mut length = 2;
        text.push(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (decoded, taken) = unicode(rest.get(at..)?)?;
                length = taken;
                decoded
            }
            _ => return None,
        });
        rest = rest.get(at + length..)?;
    }
    text.push_str(rest);
    Some(text)
}

/// `\u` and four digits, or the two of a surrogate pair; half a pair becomes the replacement character.
fn unicode(text: &str) -> Option<(char, usize)> {
    let unit = |from: usize| {
        let digits = text.get(from..from + 4)?;
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let first = unit(2)?;
    if (0xD800..0xDC00).contains(&first)
        && text.get(6..8) == Some("\\u")
        && let Some(second @ 0xDC00..0xE000) = unit(8)
    {
        let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return Some((char::from_u32(code)?, 12));
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
