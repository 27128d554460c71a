//! A meter's id: one spelling for each, and nothing in it that nobody sees.
//!
//! Ids come from topics, payloads and the routes' own text, and are names that people give. Unicode has several spellings of
//! one letter, letters without a shape, and marks that turn the order of those around them. Here, for all of them:
//!
//! - Letters are composed (NFC), every kind of space is the usual one, spaces and line ends around a level are trimmed, and the two
//!   marks that choose between the text and the picture of an emoji are dropped: what looks the same is the same meter.
//! - What is invisible or turns the text is refused, not taken out. Without it the id would be another meter's, and who may
//!   publish under a name of his own making could write into that one's data.
//!
//! Letters of two scripts that look alike stay two.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use crate::METER_ID_BYTES_MAX;

/// Choose the text or the picture of the emoji before them.
const PRESENTATION: [char; 2] = ['\u{fe0e}', '\u{fe0f}'];

/// Unicode's `Default_Ignorable_Code_Point`: bidirectional controls, joiners, fillers, variation selectors, tags. With
/// them what has no shape besides: separators of lines, annotations, the empty braille pattern, and what is no character.
const HIDDEN: [(char, char); 23] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fdd0}', '\u{fdef}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{1fffe}', '\u{1ffff}'),
    ('\u{2fffe}', '\u{2ffff}'),
    ('\u{e0000}', '\u{e0fff}'),
    ('\u{10fffe}', '\u{10ffff}'),
];

/// The one spelling of an id, or of a part of one. For looking a meter up; [`settle`] also says whether it can be one.
#[must_use]
pub fn spelled(text: &str) -> Cow<'_, str> {
    if is_plain(text) { Cow::Borrowed(text) } else { Cow::Owned(respelled(text)) }
}

/// Makes an id the one that is stored.
///
/// # Errors
/// Where it can be none: what is wrong with it.
pub fn settle(id: &mut String) -> Result<(), String> {
    let plain = is_plain(id);
    if !plain {
        *id = respelled(id);
    }
    if id.is_empty() {
        return Err("the meter id is empty".to_owned());
    }
    if id.len() > METER_ID_BYTES_MAX {
        return Err(format!("the meter id has {} bytes, at most {METER_ID_BYTES_MAX}", id.len()));
    }
    if plain {
        return Ok(());
    }
    if id.chars().any(|letter| letter.is_control() || matches!(letter, '#' | '+')) {
        return Err("the meter id has a control character, # or +".to_owned());
    }
    match id.chars().find(|letter| is_hidden(*letter)) {
        None => Ok(()),
        Some(hidden) => Err(format!(
            "the meter id has U+{:04X}, which nobody sees: rename the device, or give its topic a route with a meter_id of its own",
            u32::from(hidden)
        )),
    }
}

/// Nearly every id, at one look at each byte: there is no other spelling of it, and nothing hidden.
fn is_plain(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'+');
    text.bytes().fold(true, |all, byte| all & is_plain(byte))
}

fn respelled(text: &str) -> String {
    let one = |letter: char| match letter {
        letter if PRESENTATION.contains(&letter) => None,
        letter if is_hidden(letter) || letter.is_control() || !letter.is_whitespace() => Some(letter),
        _ => Some(' '),
    };
    let composed: String = text.chars().filter_map(one).nfc().collect();
    let levels: Vec<&str> =
        composed.split('/').map(|level| level.trim_matches([' ', '\t', '\r', '\n'])).collect();
    levels.join("/")
}

fn is_hidden(letter: char) -> bool {
    HIDDEN.iter().any(|(first, last)| (*first..=*last).contains(&letter))
}

#[cfg(test)]
#[path = "meter_id_tests.rs"]
mod tests;
