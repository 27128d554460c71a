//! JSON as it is written: numbers stay text, so that no price is ever a float. Keys come once, depth has a bound.

use std::borrow::Cow;

const DEPTH_MAX: usize = 32;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node<'a> {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Object(Vec<(Cow<'a, str>, Self)>),
}

/// Where the text is no JSON, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) at: usize,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

type Read<T> = Result<T, Broken>;

// === impl Node ===

impl<'a> Node<'a> {
    /// One value and nothing else.
    pub(crate) fn parse(text: &'a str) -> Read<Self> {
        let mut reader = Reader { text, at: 0 };
        let node = reader.value(DEPTH_MAX)?;
        reader.space();
        if reader.at == text.len() { Ok(node) } else { reader.broken() }
    }

    /// What a key of an object leads to.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// What a JSON pointer leads to.
    pub(crate) fn pointer(&self, path: &str) -> Option<&Self> {
        if path.is_empty() {
            return Some(self);
        }
        path.strip_prefix('/')?.split('/').try_fold(self, |node, step| match node {
            Self::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => node.get(&step.replace("~1", "/").replace("~0", "~")),
        })
    }
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn broken<T>(&self) -> Read<T> {
        Err(Broken { at: self.at })
    }

    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    fn sign(&mut self, sign: u8) -> bool {
        self.space();
        let found = self.peek() == sign;
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Read<Node<'a>> {
        if depth == 0 {
            return self.broken();
        }
        self.space();
        match self.peek() {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' => Ok(Node::Text(self.string()?)),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", Node::Bool(true)),
            b'f' => self.word("false", Node::Bool(false)),
            b'n' => self.word("null", Node::Null),
            _ => self.broken(),
        }
    }

    fn word(&mut self, word: &str, node: Node<'a>) -> Read<Node<'a>> {
        if !self.text[self.at..].starts_with(word) {
            return self.broken();
        }
        self.at += word.len();
        Ok(node)
    }

    fn object(&mut self, depth: usize) -> Read<Node<'a>> {
        self.at += 1;
        let mut fields: Vec<(Cow<'a, str>, Node<'a>)> = Vec::new();
        let mut more = !self.sign(b'}');
        while more {
            self.space();
            let key = self.string()?;
            if fields.iter().any(|(name, _)| *name == key) || !self.sign(b':') {
                return self.broken();
            }
            fields.push((key, self.value(depth - 1)?));
            more = self.goes_on(b'}')?;
        }
        Ok(Node::Object(fields))
    }

    fn list(&mut self, depth: usize) -> Read<Node<'a>> {
        self.at += 1;
        let mut items = Vec::new();
        let mut more = !self.sign(b']');
        while more {
            items.push(self.value(depth - 1)?);
            more = self.goes_on(b']')?;
        }
        Ok(Node::List(items))
    }

    fn goes_on(&mut self, end: u8) -> Read<bool> {
        if self.sign(b',') {
            return Ok(true);
        }
        if self.sign(end) { Ok(false) } else { self.broken() }
    }

    fn number(&mut self) -> Read<Node<'a>> {
        let start = self.at;
        self.at += usize::from(self.peek() == b'-');
        let zero = self.peek() == b'0';
        let digits = self.digits();
        if digits == 0 || zero && digits > 1 {
            return self.broken();
        }
        if self.peek() == b'.' {
            self.at += 1;
            if self.digits() == 0 {
                return self.broken();
            }
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), b'+' | b'-'));
            if self.digits() == 0 {
                return self.broken();
            }
        }
        Ok(Node::Number(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        self.at - start
    }

    fn string(&mut self) -> Read<Cow<'a, str>> {
        if self.peek() != b'"' {
            return self.broken();
        }
        self.at += 1;
        let rest = &self.text[self.at..];
        let end = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\') || byte < b' ');
        let Some(end) = end else { return self.broken() };
        if rest.as_bytes()[end] == b'"' {
            self.at += end + 1;
            return Ok(Cow::Borrowed(&rest[..end]));
        }
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(char) = rest.chars().next().filter(|char| *char >= ' ') else { return self.broken() };
            self.at += char.len_utf8();
            match char {
                '"' => return Ok(Cow::Owned(text)),
                '\\' => text.push(self.escaped()?),
                char => text.push(char),
            }
        }
    }

    fn escaped(&mut self) -> Read<char> {
        let sign = self.peek();
        self.at += 1;
        Ok(match sign {
            b'"' | b'\\' | b'/' => char::from(sign),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return self.broken(),
        })
    }

    fn unicode(&mut self) -> Read<char> {
        let high = self.hex()?;
        let code = if (0xD800..0xDC00).contains(&high) {
            if !self.text[self.at..].starts_with("\\u") {
                return self.broken();
            }
            self.at += 2;
            let low = self.hex()?;
            0x1_0000 + ((high - 0xD800) << 10) + low.wrapping_sub(0xDC00)
        } else {
            high
        };
        char::from_u32(code).map_or_else(|| self.broken(), Ok)
    }

    fn hex(&mut self) -> Read<u32> {
        let digits =
            self.text.get(self.at..self.at + 4).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|text| u32::from_str_radix(text, 16).ok()) else {
            return self.broken();
        };
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_as_they_are_written() {
        let node =
            Node::parse(r#" {"a": [0.10, -1e-9, null, true], "b\u00e4\ud83d\ude00": "x\n"} "#).unwrap();
        assert_eq!(node.pointer("/a/0"), Some(&Node::Number("0.10")));
        assert_eq!(node.pointer("/a/1"), Some(&Node::Number("-1e-9")));
        assert_eq!(node.get("bä😀"), Some(&Node::Text("x\n".into())));
        assert_eq!((node.pointer("/a/9"), node.pointer("/a/x"), node.pointer("a")), (None, None, None));
    }

    #[test]
    fn what_the_usual_parser_refuses_is_refused() {
        for text in [
            "",
            "{",
            "[1,]",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "nul",
            "\"\\x\"",
            "\"\u{1}\"",
            "{\"a\" 1}",
            "[1] 2",
            "\"\\ud800\"",
            "{a:1}",
            "'a'",
            "[1 2]",
            "\"\\u12\"",
        ] {
            assert!(Node::parse(text).is_err(), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
        }
        assert!(Node::parse(r#"{"a": 1, "a": 2}"#).is_err());
        assert!(Node::parse(&"[".repeat(100_000)).is_err());
    }
}
