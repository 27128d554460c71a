//! Spellings of one id, and what is no id.

use proptest::prelude::*;

use super::*;

fn settled(id: &str) -> Result<String, String> {
    let mut id = id.to_owned();
    settle(&mut id).map(|()| id)
}

#[test]
fn what_looks_the_same_is_the_same() {
    for (given, id) in [
        ("tasmota/kitchen", "tasmota/kitchen"),
        ("Zähler/1", "Zähler/1"),
        ("Za\u{308}hler/1", "Zähler/1"),
        ("\u{212b}ngström", "Ångström"),
        ("\u{1112}\u{1161}\u{11ab}", "한"),
        (" kitchen", "kitchen"),
        ("tasmota/ kitchen ", "tasmota/kitchen"),
        ("tasmota/kitchen\r\n", "tasmota/kitchen"),
        ("a / b", "a/b"),
        ("Energy Meter", "Energy Meter"),
        ("Energy\u{a0}Meter", "Energy Meter"),
        ("\u{3000}Energy\u{2003}Meter\u{a0}", "Energy Meter"),
        ("⚡\u{fe0f} roof", "⚡ roof"),
        ("/a//b/", "/a//b/"),
    ] {
        assert_eq!(settled(given).as_deref(), Ok(id), "{given:?}");
        assert_eq!(spelled(given), id, "{given:?}");
    }
}

#[test]
fn what_nobody_sees_is_refused_by_its_number() {
    for hidden in [
        '\u{202e}',
        '\u{2066}',
        '\u{200f}',
        '\u{61c}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{2060}',
        '\u{feff}',
        '\u{ad}',
        '\u{34f}',
        '\u{115f}',
        '\u{3164}',
        '\u{180e}',
        '\u{fe00}',
        '\u{e0041}',
        '\u{2028}',
        '\u{2800}',
        '\u{fff9}',
        '\u{ffff}',
        '\u{10ffff}',
    ] {
        for id in [
            format!("kit{hidden}chen"),
            format!("{hidden}kitchen"),
            format!("a/kitchen{hidden}"),
            hidden.into(),
        ] {
            let refused = settled(&id).unwrap_err();
            let number = format!("U+{:04X}, which nobody sees", u32::from(hidden));
            assert!(refused.contains(&number), "{id:?}: {refused}");
        }
    }
}

#[test]
fn what_is_empty_too_long_or_a_wildcard_is_no_id() {
    for (id, what) in [
        ("", "is empty"),
        ("  ", "is empty"),
        ("\u{a0}\u{3000}", "is empty"),
        ("\u{fe0f}", "is empty"),
        ("x".repeat(129).as_str(), "has 129 bytes, at most 128"),
        ("ä".repeat(65).as_str(), "has 130 bytes, at most 128"),
        ("a\nb", "control character"),
        ("a\0", "control character"),
        ("a#", "# or +"),
        ("ä+", "# or +"),
    ] {
        let refused = settled(id).unwrap_err();
        assert!(refused.contains(what), "{id:?}: {refused}");
    }
    assert_eq!(settled(&"a\u{308}".repeat(64)), Ok("ä".repeat(64)), "128 bytes when they are composed");
}

fn spellings() -> impl Strategy<Value = String> {
    let letter = prop::sample::select(vec![
        "a", "ä", "a\u{308}", "\u{308}", "/", " ", "\u{a0}", "\u{fe0f}", "\u{200b}", "\u{202e}", "\u{1100}",
        "\u{1161}", "+", "\u{2126}", "\n", "é", "\u{301}",
    ]);
    prop_oneof![prop::collection::vec(letter, 0..12).prop_map(|letters| letters.concat()), "\\PC{0,24}"]
}

proptest! {
    #[test]
    fn an_id_is_settled_once(text in spellings()) {
        let once = spelled(&text).into_owned();
        prop_assert_eq!(spelled(&once), once.as_str());
        if let Ok(id) = settled(&text) {
            prop_assert_eq!(&id, &once);
            prop_assert_eq!(settled(&id), Ok(id.clone()));
        }
    }

    #[test]
    fn composed_and_decomposed_are_one(text in "\\PC{0,24}") {
        let decomposed: String = text.nfd().collect();
        prop_assert_eq!(spelled(&decomposed), spelled(&text));
    }
}
