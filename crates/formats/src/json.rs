//! JSON as devices write it, borrowed from the payload. Numbers stay decimal text, because a register must not
//! pass through floating point; `NaN` and `Infinity`, which some bridges write, are read too.

use std::borrow::Cow;

use wattline_reading::limits::{Refusal, refuse};
use wattline_reading::{Decimal, Reason};

/// Deeper than any device nests, and far from the end of the stack.
const DEPTH_MAX: usize = 64;
const CUT: &str = "it ends in the middle";

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

/// A payload read from its beginning to its end, value by value: for decoders that know what they look for.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

/// A value that is no object and no array, or one that was passed over.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// `null`, and `NaN`.
    Null,
    /// A number.
    Number(Number<'a>),
    /// A text without its escapes.
    Text(Cow<'a, str>),
    /// `true`, `false`, an object or an array.
    Other,
}

/// A number as it is written, and what it says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number<'a> {
    /// Its own characters.
    pub text: &'a str,
    /// Its value, where it is as short as nearly all are, and without an exponent.
    pub short: Option<Decimal>,
}

// === impl Json ===

impl<'a> Json<'a> {
    /// Reads a payload: one value, in UTF-8, with or without a byte order mark or a C string's closing NUL.
    ///
    /// # Errors
    /// `malformed`, with the place and what is wrong there.
    pub fn parse(payload: &'a [u8]) -> Result<Self, Refusal> {
        Self::parse_text(text(payload)?)
    }

    /// Reads a payload that [`text`] has made text of.
    ///
    /// # Errors
    /// As [`Json::parse`].
    pub fn parse_text(text: &'a str) -> Result<Self, Refusal> {
        let mut reader = Reader::new(text);
        let value = reader.value()?;
        reader.end()?;
        Ok(value)
    }

    /// An object's field; `null` is as if it were not there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.field(key).filter(|value| **value != Self::Null)
    }

    /// An object's field, which may be `null`.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Self> {
        self.fields().iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
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

// === impl Reader ===

impl<'a> Reader<'a> {
    /// A reader at the beginning of a text.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// The first character of the next value.
    #[inline]
    pub fn first(&mut self) -> Option<u8> {
        self.skip_space();
        self.peek()
    }

    /// An object: `field` is called with each name, and must read its value.
    ///
    /// # Errors
    /// Where there is no object or it is broken, and what `field` says.
    pub fn object(
        &mut self,
        mut field: impl FnMut(Cow<'a, str>, &mut Self) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        self.open(b'{', "an object is expected")?;
        if !self.closes(b'}') {
            loop {
                if self.first() != Some(b'"') {
                    return Err(self.error("a field's name is expected"));
                }
                let name = self.string()?;
                self.skip_space();
                if !self.take(b':') {
                    return Err(self.error("`:` is expected"));
                }
                field(name, self)?;
                if self.closes(b'}') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.error("`,` or `}` is expected"));
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// An array: `item` is called at each item, and must read it.
    ///
    /// # Errors
    /// Where there is no array or it is broken, and what `item` says.
    pub fn array(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Refusal>) -> Result<(), Refusal> {
        self.open(b'[', "an array is expected")?;
        if !self.closes(b']') {
            loop {
                item(self)?;
                if self.closes(b']') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.error("`,` or `]` is expected"));
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// A number, a text or nothing; anything else is passed over.
    ///
    /// # Errors
    /// Where the value is broken.
    #[inline]
    pub fn scalar(&mut self) -> Result<Scalar<'a>, Refusal> {
        Ok(match self.first() {
            Some(b'"') => Scalar::Text(self.string()?),
            Some(b'-') if self.is_minus_nan() => self.word().map(|_| Scalar::Null)?,
            Some(b'-' | b'0'..=b'9') => Scalar::Number(self.number()?),
            Some(b'{') => {
                self.object(|_, reader| reader.scalar().map(drop))?;
                Scalar::Other
            }
            Some(b'[') => {
                self.array(|reader| reader.scalar().map(drop))?;
                Scalar::Other
            }
            Some(_) => match self.word()? {
                Json::Null => Scalar::Null,
                Json::Number(text) => Scalar::Number(Number { text, short: None }),
                _ => Scalar::Other,
            },
            None => return Err(self.error(CUT)),
        })
    }

    /// Nothing may follow.
    ///
    /// # Errors
    /// Where something does.
    pub fn end(&mut self) -> Result<(), Refusal> {
        match self.first() {
            None => Ok(()),
            Some(_) => Err(self.error("something follows the value")),
        }
    }

    /// A refusal with the place that was reached.
    #[must_use]
    pub fn error(&self, what: &str) -> Refusal {
        refuse(Reason::Malformed, format!("JSON: {what} at byte {}", self.at.min(self.text.len())))
    }

    fn value(&mut self) -> Result<Json<'a>, Refusal> {
        match self.first() {
            Some(b'{') => {
                let mut fields = Vec::new();
                self.object(|name, reader| {
                    fields.push((name, reader.value()?));
                    Ok(())
                })?;
                Ok(Json::Object(fields))
            }
            Some(b'[') => {
                let mut items = Vec::new();
                self.array(|reader| {
                    items.push(reader.value()?);
                    Ok(())
                })?;
                Ok(Json::Array(items))
            }
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-') if self.is_minus_nan() => self.word(),
            Some(b'-' | b'0'..=b'9') => self.number().map(|number| Json::Number(number.text)),
            Some(_) => self.word(),
            None => Err(self.error(CUT)),
        }
    }

    #[inline]
    fn open(&mut self, bracket: u8, what: &str) -> Result<(), Refusal> {
        self.skip_space();
        if !self.take(bracket) {
            return Err(self.error(what));
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(self.error("nested deeper than 64 levels")) } else { Ok(()) }
    }

    #[inline]
    fn closes(&mut self, bracket: u8) -> bool {
        self.skip_space();
        self.take(bracket)
    }

    #[inline]
    fn string(&mut self) -> Result<Cow<'a, str>, Refusal> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        let bytes = self.text.as_bytes();
        let end = loop {
            match quote_or_escape(bytes, self.at) {
                Some(at) if bytes[at] == b'"' => break at,
                Some(at) => {
                    escaped = true;
                    self.at = at + 2;
                }
                None => {
                    self.at = self.text.len();
                    return Err(self.error("a text has no end"));
                }
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

    /// `-12.5e3`; digits may be missing behind the point.
    #[inline]
    fn number(&mut self) -> Result<Number<'a>, Refusal> {
        let rest = &self.text[self.at..];
        if let Some((short, length)) = Decimal::prefix(rest.as_bytes()) {
            let byte = |at: usize| rest.as_bytes().get(at).copied().unwrap_or_default();
            let begins = byte(usize::from(byte(0) == b'-')).is_ascii_digit();
            if begins && !matches!(byte(length), b'e' | b'E') {
                self.at += length;
                return Ok(Number { text: &rest[..length], short: Some(short) });
            }
        }
        self.long_number().map(|text| Number { text, short: None })
    }

    /// Any other number, or none.
    fn long_number(&mut self) -> Result<&'a str, Refusal> {
        let text = self.text;
        let bytes = text.as_bytes();
        let rest = &text[self.at..];
        let negative = rest.starts_with('-');
        if negative && let Some(word) = ["-Infinity", "-inf"].into_iter().find(|word| rest.starts_with(word))
        {
            self.at += word.len();
            return Ok(&rest[..word.len()]);
        }
        let digits =
            |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let byte = |at: usize| bytes.get(at).copied();
        let start = self.at;
        let whole = start + usize::from(negative);
        let mut end = digits(whole);
        let mut right = end > whole;
        if byte(end) == Some(b'.') {
            end = digits(end + 1);
        }
        if matches!(byte(end), Some(b'e' | b'E')) {
            let exponent = end + 1 + usize::from(matches!(byte(end + 1), Some(b'+' | b'-')));
            end = digits(exponent.min(bytes.len()));
            right &= end > exponent;
        }
        if !right {
            return Err(self.error("no number"));
        }
        self.at = end;
        Ok(&text[start..end])
    }

    /// C prints `-nan` as well; the sign is passed over.
    fn is_minus_nan(&mut self) -> bool {
        let is_nan = self.text[self.at + 1..].get(..3).is_some_and(|word| word.eq_ignore_ascii_case("nan"));
        self.at += usize::from(is_nan);
        is_nan
    }

    fn word(&mut self) -> Result<Json<'a>, Refusal> {
        // What C, Python, JavaScript and Go print, too. What begins as another word stands before it.
        const NULLS: [&str; 9] =
            ["null", "NaN", "nan(ind)", "nan", "None", "undefined", "NULL", "NAN", "nil"];
        const BOOLS: [(&str, bool); 4] = [("true", true), ("false", false), ("True", true), ("False", false)];
        const INFINITE: [&str; 2] = ["Infinity", "inf"];
        let rest = &self.text[self.at..];
        let nulls = NULLS.into_iter().map(|word| (word, Json::Null));
        let bools = BOOLS.into_iter().map(|(word, value)| (word, Json::Bool(value)));
        let numbers = INFINITE.into_iter().map(|word| (word, Json::Number(word)));
        match nulls.chain(bools).chain(numbers).find(|(word, _)| rest.starts_with(word)) {
            Some((word, value)) => {
                self.at += word.len();
                Ok(value)
            }
            None => Err(self.error("a value is expected")),
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }
}

/// Where the next `"` or `\` is. Names are short: eight bytes at once cost less than a search that is made for long texts.
#[inline]
fn quote_or_escape(bytes: &[u8], from: usize) -> Option<usize> {
    let is_one = |byte: &u8| matches!(byte, b'"' | b'\\');
    let rest = bytes.get(from..)?;
    let (eights, tail) = rest.as_chunks::<8>();
    for (index, eight) in eights.iter().enumerate() {
        let eight = u64::from_le_bytes(*eight);
        let found = has_zero(eight ^ every(b'"')) | has_zero(eight ^ every(b'\\'));
        if found != 0 {
            return Some(from + 8 * index + (found.trailing_zeros() / 8) as usize);
        }
    }
    Some(bytes.len() - tail.len() + tail.iter().position(is_one)?)
}

const fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The lowest bit that is set is the highest of the first byte that is zero; none is set where none is.
const fn has_zero(eight: u64) -> u64 {
    eight.wrapping_sub(every(1)) & !eight & every(0x80)
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
