//! An MQTT topic, by its levels.

/// A topic, by its levels.
#[derive(Clone, Copy, Debug)]
pub struct Topic<'a>(pub &'a str);

// === impl Topic ===

impl<'a> Topic<'a> {
    /// The `number`-th level, counted from 1; empty where there is none.
    #[must_use]
    pub fn level(self, number: usize) -> &'a str {
        let rest = if number == 0 { "" } else { self.from(number) };
        &rest[..slash(rest).unwrap_or(rest.len())]
    }

    /// The last level.
    #[must_use]
    pub fn last(self) -> &'a str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The level before the last one.
    #[must_use]
    pub fn last_but_one(self) -> &'a str {
        self.0.rsplit('/').nth(1).unwrap_or_default()
    }

    /// How many levels there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.0.split('/').count()
    }

    /// From the `number`-th level to the end.
    #[must_use]
    pub fn from(self, number: usize) -> &'a str {
        let mut rest = self.0;
        for _ in 1..number {
            match slash(rest) {
                Some(at) => rest = &rest[at + 1..],
                None => return "",
            }
        }
        rest
    }
}

/// Levels are short: a look at each byte costs less than a search.
fn slash(text: &str) -> Option<usize> {
    text.bytes().position(|byte| byte == b'/')
}
