//! What reads the messages of one route.

use std::sync::Arc;

use anyhow::{Context, bail};

use crate::declarative::{self, Compiled, ReadingSettings};
use crate::draft::Outcome;
use crate::family::{Decode, Family};
use crate::ignored::Ignored;
use crate::memory::Memory;
use crate::message::Message;
use crate::nothing;

/// A route's decoder, ready for use: a family's own, or what the route declares.
#[derive(Clone, Debug)]
pub enum Decoder {
    /// A pure function of the message.
    Drafts(fn(&Message<'_>) -> Outcome),
    /// The same, and a message that says nothing is refused.
    Strict(fn(&Message<'_>) -> Outcome),
    /// One that knows of earlier messages.
    WithMemory(fn(&Message<'_>, &mut Memory) -> Outcome),
    /// By the paths of `[[routes.readings]]`.
    Declarative(Arc<[Compiled]>),
}

// === impl Decoder ===

impl Decoder {
    /// The decoder of a family, which only `declarative` is told by `readings`.
    ///
    /// # Errors
    /// Where the one is there without the other, or a declaration can't be used: says what the route has, and what is wrong there.
    pub fn new(family: &Family, readings: &[ReadingSettings]) -> anyhow::Result<Self> {
        Ok(match (family.decode, readings) {
            (Decode::AsDeclared, []) => {
                bail!("has the declarative decoder, and no [[routes.readings]] that says what to read")
            }
            (Decode::AsDeclared, readings) => Self::Declarative(compiled(readings)?),
            (Decode::Drafts(decode), []) => Self::Drafts(decode),
            (Decode::Strict(decode), []) => Self::Strict(decode),
            (Decode::WithMemory(decode), []) => Self::WithMemory(decode),
            (Decode::Drafts(_) | Decode::Strict(_) | Decode::WithMemory(_), _) => {
                bail!("has [[routes.readings]], which only the declarative decoder reads")
            }
        })
    }

    /// The drafts of one message. `memory` is what families with memory know of earlier ones.
    ///
    /// # Errors
    /// Why there are none.
    pub fn decode(&self, message: &Message<'_>, memory: &mut Memory) -> Outcome {
        let made = match self {
            Self::Drafts(_) | Self::Strict(_) if message.is_status() => return Err(Ignored::Status.into()),
            Self::Strict(decode) => return decode(message),
            Self::Drafts(decode) => decode(message),
            Self::WithMemory(decode) => return decode(message, memory),
            Self::Declarative(readings) => declarative::decode(readings, message),
        };
        made.map_err(|stop| nothing::explained(stop, message))
    }

    /// True where it must see all messages of a device: its route is subscribed to by one replica alone.
    #[must_use]
    pub const fn needs_memory(&self) -> bool {
        matches!(self, Self::WithMemory(_))
    }
}

fn compiled(readings: &[ReadingSettings]) -> anyhow::Result<Arc<[Compiled]>> {
    let each = (1..).zip(readings).map(|(number, reading)| {
        Compiled::new(reading).with_context(|| format!("has readings, number {number}"))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declarative::ValueSettings;

    fn named(family: &str, readings: &[ReadingSettings]) -> Result<Decoder, String> {
        Decoder::new(Family::named(family).unwrap(), readings).map_err(|error| format!("{error:#}"))
    }

    fn reads(path: &str) -> ReadingSettings {
        let power_w = Some(ValueSettings { path: Some(path.to_owned()), ..ValueSettings::default() });
        ReadingSettings { power_w, ..ReadingSettings::default() }
    }

    #[test]
    fn only_the_declarative_family_is_told_what_to_read() {
        assert!(matches!(named("declarative", &[reads("p")]), Ok(Decoder::Declarative(_))));
        assert!(matches!(named("shelly", &[]), Ok(Decoder::Drafts(_))));
        assert!(matches!(named("sparkplug", &[]), Ok(Decoder::WithMemory(_))));
        let error = named("declarative", &[]).unwrap_err();
        assert_eq!(error, "has the declarative decoder, and no [[routes.readings]] that says what to read");
        for family in ["shelly", "sparkplug", "wattline-json"] {
            let error = named(family, &[reads("p")]).unwrap_err();
            assert_eq!(error, "has [[routes.readings]], which only the declarative decoder reads");
        }
    }

    #[test]
    fn a_wrong_declaration_is_named_by_its_number() {
        let error = named("declarative", &[reads("a.b"), reads("a..b")]).unwrap_err();
        assert!(error.starts_with("has readings, number 2: ") && error.contains("empty step"), "{error}");
    }

    #[test]
    fn one_family_needs_a_memory() {
        let needs = |family: &&&Family| matches!(family.decode, Decode::WithMemory(_));
        let names: Vec<_> = crate::FAMILIES.iter().filter(needs).map(|family| family.name).collect();
        assert_eq!(names, ["sparkplug"]);
        assert!(named("sparkplug", &[]).unwrap().needs_memory());
        assert!(!named("shelly", &[]).unwrap().needs_memory());
    }
}
