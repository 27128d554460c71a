//! Rust source as tokens, without comments and without what only tests compile.

/// A piece of source, as far as the checks of the tree read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A name or a keyword; `r#name` without its mark.
    Word(String),
    /// The content of a string literal.
    Text(String),
    /// Any other character that is no space.
    Sign(char),
}

/// The tokens of a file, without items under `#[cfg(test)]`.
pub(super) fn code(text: &str) -> Vec<Token> {
    without_tests(&tokens(text).0)
}

/// The comments of a file, by their line from 1. Of a block comment each line is one.
pub(super) fn comments(text: &str) -> Vec<(usize, String)> {
    tokens(text).1
}

/// Reads one file from front to back.
struct Reader {
    chars: Vec<char>,
    place: usize,
    line: usize,
}

fn tokens(text: &str) -> (Vec<Token>, Vec<(usize, String)>) {
    let mut reader = Reader { chars: text.chars().collect(), place: 0, line: 1 };
    let (mut tokens, mut comments) = (Vec::new(), Vec::new());
    while let Some(char) = reader.peek(0) {
        match (char, reader.peek(1)) {
            ('/', Some('/')) => comments.push((reader.line, reader.take_until("\n"))),
            ('/', Some('*')) => {
                let first = reader.line;
                let block = reader.take_until("*/");
                comments.extend(block.lines().enumerate().map(|(at, line)| (first + at, line.to_owned())));
            }
            ('"', _) => tokens.push(Token::Text(reader.text())),
            ('\'', _) => reader.skip_char_or_lifetime(),
            _ if char.is_alphanumeric() || char == '_' => {
                let word = reader.word();
                let raw = matches!(&*word, "r" | "br" | "cr");
                match reader.peek(0) {
                    Some('"') if raw => tokens.push(Token::Text(reader.raw_text())),
                    Some('#') if raw && matches!(reader.peek(1), Some('"' | '#')) => {
                        tokens.push(Token::Text(reader.raw_text()));
                    }
                    // A raw name, or the letter before a string or a character of bytes.
                    Some('#') if raw => reader.place += 1,
                    Some('"' | '\'') if matches!(&*word, "b" | "c") => {}
                    _ => tokens.push(Token::Word(word)),
                }
            }
            _ => {
                if !char.is_whitespace() {
                    tokens.push(Token::Sign(char));
                }
                reader.step();
            }
        }
    }
    (tokens, comments)
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.place + ahead).copied()
    }

    fn step(&mut self) {
        self.line += usize::from(self.peek(0) == Some('\n'));
        self.place += 1;
    }

    fn word(&mut self) -> String {
        let from = self.place;
        while self.peek(0).is_some_and(|char| char.is_alphanumeric() || char == '_') {
            self.place += 1;
        }
        self.chars[from..self.place].iter().collect()
    }

    fn take_until(&mut self, end: &str) -> String {
        let (from, end) = (self.place, end.chars().collect::<Vec<_>>());
        while self.place < self.chars.len() && !self.chars[self.place..].starts_with(&end) {
            self.step();
        }
        let taken = self.chars[from..self.place].iter().collect();
        (0..end.len()).for_each(|_| self.step());
        taken
    }

    fn text(&mut self) -> String {
        self.step();
        let from = self.place;
        while let Some(char) = self.peek(0).filter(|char| *char != '"') {
            if char == '\\' {
                self.step();
            }
            self.step();
        }
        let content = self.chars[from..self.place.min(self.chars.len())].iter().collect();
        self.step();
        content
    }

    fn raw_text(&mut self) -> String {
        let mut marks = 0;
        while self.peek(0) == Some('#') {
            marks += 1;
            self.step();
        }
        self.step();
        self.take_until(&format!("\"{}", "#".repeat(marks)))
    }

    /// `'a'`, `'\n'`, or the mark of a lifetime, whose name then is a word of its own.
    fn skip_char_or_lifetime(&mut self) {
        self.step();
        if self.peek(0) == Some('\\') {
            self.step();
            self.step();
            while self.peek(0).is_some_and(|char| char != '\'') {
                self.step();
            }
            self.step();
        } else if self.peek(1) == Some('\'') {
            self.step();
            self.step();
        }
    }
}

fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut place = 0;
    while place < tokens.len() {
        if let Some(end) = attribute_end(tokens, place) {
            if is_test_only(&tokens[place..end]) {
                place = item_end(tokens, end);
                continue;
            }
            // Its content is no code, but the `path` of a module.
            kept.extend_from_slice(&tokens[place..end]);
            place = end;
        } else {
            kept.push(tokens[place].clone());
            place += 1;
        }
    }
    kept
}

/// Behind the `]` of the attribute that begins here.
pub(super) fn attribute_end(tokens: &[Token], from: usize) -> Option<usize> {
    if tokens.get(from) != Some(&Token::Sign('#')) {
        return None;
    }
    let open = from + 1 + usize::from(tokens.get(from + 1) == Some(&Token::Sign('!')));
    (tokens.get(open) == Some(&Token::Sign('['))).then(|| closed(tokens, open))
}

/// Behind the bracket that closes the one at `open`.
pub(super) fn closed(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return place + 1;
        }
    }
    tokens.len()
}

fn is_test_only(attribute: &[Token]) -> bool {
    let has = |word: &str| attribute.iter().any(|token| *token == Token::Word(word.to_owned()));
    has("cfg") && has("test") && !has("not")
}

/// Behind the item that begins here, its further attributes included.
fn item_end(tokens: &[Token], mut place: usize) -> usize {
    while let Some(end) = attribute_end(tokens, place) {
        place = end;
    }
    while place < tokens.len() {
        match tokens[place] {
            Token::Sign(';') => return place + 1,
            Token::Sign('{') => return closed(tokens, place),
            Token::Sign('(' | '[') => place = closed(tokens, place),
            _ => place += 1,
        }
    }
    place
}

#[test]
fn source_is_read_without_comments_texts_and_tests() {
    let text = r##"
        // one { crate::a::B
        use crate::x; /* two
        lines */
        #[cfg(test)]
        #[path = "y_tests.rs"]
        mod tests;
        #[cfg(test)]
        mod more { use crate::not_read; }
        fn f<'a>(c: char) -> &'a str { if c == '{' || c == '\'' { r#"}""# } else { "}//\"" } }
    "##;
    let words: Vec<String> = code(text)
        .into_iter()
        .filter_map(|token| if let Token::Word(word) = token { Some(word) } else { None })
        .collect();
    assert_eq!(words.join(" "), "use crate x fn f a c char a str if c c else");
    let comments = comments(text);
    assert_eq!(comments[0], (2, "// one { crate::a::B".to_owned()));
    assert_eq!(comments[2].0, 4);
    assert_eq!(comments.len(), 3);
}
