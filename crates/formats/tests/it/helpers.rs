//! What all families share: numbers, units, OBIS codes, topics, factors, omissions.

use proptest::prelude::*;
use wattline_formats::draft::Quantity;
use wattline_formats::message::is_status_word;
use wattline_formats::number::{decimal, number, shown};
use wattline_formats::time::{DeviceTime, parse_epoch};
use wattline_formats::unit::Unit;
use wattline_formats::{Ignored, Multiplier, Omission, Omitted, Topic, obis};

const UNITS: [(Unit, i128, i128); 11] = [
    (Unit::One, 1, 1),
    (Unit::Kilo, 1000, 1),
    (Unit::Mega, 1_000_000, 1),
    (Unit::Deca, 10, 1),
    (Unit::Hecto, 100, 1),
    (Unit::Deci, 1, 10),
    (Unit::Centi, 1, 100),
    (Unit::Milli, 1, 1000),
    (Unit::WattMinute, 1, 60),
    (Unit::Joule, 1, 3600),
    (Unit::Kilojoule, 1000, 3600),
];

#[test]
fn numbers_as_devices_write_them() {
    for (text, expected) in [
        ("12.5", Some(12.5)),
        (" 12.5 ", Some(12.5)),
        ("12,5", Some(12.5)),
        ("-0,5", Some(-0.5)),
        ("+7", Some(7.0)),
        ("1e3", Some(1000.0)),
        (".5", Some(0.5)),
        ("1,234,567", None),
        ("1.234,5", None),
        ("12 W", None),
        ("１２", None),
        ("0x10", None),
    ] {
        assert_eq!(number(text), expected, "{text:?}");
    }
}

#[test]
fn words_for_no_value() {
    for word in [
        "",
        " ",
        "nan",
        "NaN",
        "NAN",
        "-nan",
        "None",
        "null",
        "NULL",
        "unavailable",
        "Unknown",
        "n/a",
        "N/A",
        "-",
        "--",
        "undefined",
    ] {
        assert_eq!(decimal(word), None, "{word:?}");
    }
    for word in ["0", "-0", "none of these", "nano", "----", "."] {
        assert!(decimal(word).is_some(), "{word:?}");
    }
}

#[test]
fn long_texts_are_shown_by_their_beginning() {
    assert_eq!(shown("12 W"), "`12 W`");
    let umlauts = "ä".repeat(41);
    assert_eq!(shown(&umlauts), format!("`{}…`", "ä".repeat(40)));
    assert_eq!(shown(&"ä".repeat(40)), format!("`{}`", "ä".repeat(40)));
}

#[test]
fn an_omission_keeps_the_beginning_of_a_name() {
    assert_eq!(Omission::new("power", Omitted::Unreadable).field, "power");
    let cut = Omission::new(&"ä".repeat(100), Omitted::Unreadable).field;
    assert_eq!(cut, "ä".repeat(32), "64 bytes, and no half of a character");
    assert_eq!(Omission::new("", Omitted::Unreadable).field, "");
}

#[test]
fn words_are_unique_and_explained() {
    let words: Vec<_> = Ignored::ALL.iter().map(|why| (why.as_str(), why.meaning())).collect();
    let left: Vec<_> = Omitted::ALL.iter().map(|why| (why.as_str(), why.meaning())).collect();
    for words in [words, left] {
        for (number, (word, meaning)) in words.iter().enumerate() {
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{word}");
            assert!(meaning.len() > 10, "{word}");
            assert!(words.iter().skip(number + 1).all(|(other, _)| other != word), "{word} twice");
        }
    }
}

#[test]
fn states_are_told_by_the_whole_text() {
    for word in ["online", "Offline", "\"ON\"", "true", "Connected", "lost", "up", "down"] {
        assert!(is_status_word(word), "{word}");
    }
    for word in ["", "1", "null", "unavailable", "online since 5", "offline?", "{\"state\":\"on\"}"] {
        assert!(!is_status_word(word), "{word}");
    }
}

#[test]
fn topics_by_their_levels() {
    let topic = Topic("a/b//d");
    assert_eq!([topic.level(1), topic.level(2), topic.level(3), topic.level(4)], ["a", "b", "", "d"]);
    assert_eq!((topic.level(0), topic.level(5)), ("", ""));
    assert_eq!((topic.last(), topic.last_but_one(), topic.count()), ("d", "", 4));
    assert_eq!((topic.from(1), topic.from(3), topic.from(4), topic.from(5)), ("a/b//d", "/d", "d", ""));
    assert_eq!((Topic("").count(), Topic("").last(), Topic("x").last_but_one()), (1, "", ""));
}

#[test]
fn obis_codes_of_each_quantity() {
    use Quantity::{
        Current, Export, ExportTariff, Frequency, Import, ImportTariff, Not, PhaseCurrent, PhaseExport,
        PhaseVoltage, Power, PowerExport, PowerImport, Voltage,
    };
    for (code, expected) in [
        ("1.8.0", Some(Import)),
        ("2.8.0", Some(Export)),
        ("1.8.8", Some(ImportTariff(7))),
        ("1.8.9", None),
        ("2.8.1", Some(ExportTariff(0))),
        ("1.7.0", Some(PowerImport)),
        ("2.7.0", Some(PowerExport)),
        ("16.7.0", Some(Power)),
        ("11.7.0", Some(Current)),
        ("12.7.0", Some(Voltage)),
        ("14.7.0", Some(Frequency)),
        ("42.7.0", Some(PhaseExport(1))),
        ("71.7.0", Some(PhaseCurrent(2))),
        ("52.7.0", Some(PhaseVoltage(1))),
        ("41.8.0", Some(Not(Omitted::PartialRegister))),
        ("5.8.0", Some(Not(Omitted::ReactivePower))),
        ("9.7.0", Some(Not(Omitted::ApparentPower))),
        ("15.8.0", None),
    ] {
        assert_eq!(obis::parse(code).and_then(obis::quantity), expected, "{code}");
    }
    for code in ["0100100700FF", "1-0:16.7.0*255", "1-0:16.7.0", "1_0_16_7_0", " 16.7.0 "] {
        assert_eq!(obis::parse(code), Some((16, 7, 0)), "{code}");
    }
    for text in
        ["", "1", "1.8", "1.8.0.1", "01001007000G", "-1.8.0", "1..0", "0-0:1.0.0", "1-0:1.8.0*255*1", "power"]
    {
        assert_eq!(obis::parse(text), None, "{text:?}");
    }
}

#[test]
fn unit_words() {
    for (word, unit) in [
        ("W", Unit::One),
        ("kWh", Unit::Kilo),
        (" MWh ", Unit::Mega),
        ("mA", Unit::Milli),
        ("kJ", Unit::Kilojoule),
    ] {
        assert_eq!(Unit::of_word(word), Some(unit), "{word}");
    }
    // MW and mW, M and m are not told apart by these: nothing is better than a factor of 10^9.
    for word in ["", "mw", "mwh", "VA", "kvar", "%", "°C", "m³", "kWh/h"] {
        assert_eq!(Unit::of_word(word), None, "{word}");
    }
}

#[test]
fn meters_stamps() {
    let at = |text: &str| DeviceTime::At(wattline_reading::Timestamp::parse_rfc3339(text).unwrap());
    assert_eq!(DeviceTime::from_meter("260329015959W"), at("2026-03-29T00:59:59Z"));
    assert_eq!(DeviceTime::from_meter("260329030000S"), at("2026-03-29T01:00:00Z"));
    // Twice between two and three in October: the season's letter tells them apart.
    assert_eq!(DeviceTime::from_meter("261025023000S"), at("2026-10-25T00:30:00Z"));
    assert_eq!(DeviceTime::from_meter("261025023000W"), at("2026-10-25T01:30:00Z"));
    for text in [
        "261320110000W",
        "26112011000W",
        "2611201100000W",
        "261120110000X",
        "26112011000０W",
        "W",
        "2611 0110000",
    ] {
        assert!(matches!(DeviceTime::from_meter(text), DeviceTime::Unreadable(_)), "{text}");
    }
    assert_eq!(DeviceTime::from_meter(" "), DeviceTime::Absent);
}

#[test]
fn a_factor_has_few_digits_and_is_positive() {
    for factor in [0.0, -1.0, f64::NAN, f64::INFINITY, 0.123_456_789_012, 12_345_678_901.0] {
        assert_eq!(Multiplier::new(factor), None, "{factor}");
    }
    let tenth = Multiplier::new(0.1).unwrap();
    assert_eq!(
        (tenth.register_mwh(15), tenth.register_mwh(14), tenth.register_mwh(-15)),
        (2, 1, -1),
        "half up"
    );
    let large = Multiplier::new(1_000_000_000.0).unwrap();
    assert_eq!(large.register_mwh(i64::MAX), i64::MAX, "held at the bound");
}

proptest! {
    /// Against whole numbers: value × numerator ÷ denominator, half up.
    #[test]
    fn registers_of_every_unit(whole in 0_i64..10_000_000, thousandths in 0_i64..1000, index in 0..UNITS.len()) {
        let (unit, numerator, denominator) = UNITS[index];
        let text = format!("{whole}.{thousandths:03}");
        let mwh = i128::from(whole * 1000 + thousandths) * numerator;
        let rounded = (mwh * 2 + denominator).div_euclid(denominator * 2);
        let expected = i64::try_from(rounded).ok().filter(|mwh| *mwh <= 1_000_000_000_000_000);
        prop_assert_eq!(unit.register_mwh(&text), expected);
    }

    /// As near as a double can be.
    #[test]
    fn values_of_every_unit(value in -1e6_f64..1e6, index in 0..UNITS.len()) {
        let (unit, numerator, denominator) = UNITS[index];
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let expected = value * numerator as f64 / denominator as f64;
        let made = unit.value(&value.to_string()).unwrap();
        prop_assert!((made - expected).abs() <= expected.abs() * 1e-15, "{} {}", made, expected);
    }

    #[test]
    fn a_comma_is_a_point(whole in 0_u32..1_000_000, fraction in "[0-9]{1,9}", negative in any::<bool>()) {
        let sign = if negative { "-" } else { "" };
        // Three digits behind it may be thousands.
        let says_two_things = fraction.len() == 3 && (1..1000).contains(&whole);
        let point = number(&format!("{sign}{whole}.{fraction}")).filter(|_| !says_two_things);
        prop_assert_eq!(number(&format!("{sign}{whole},{fraction}")), point);
    }

    #[test]
    fn any_text_is_a_number_or_none(text in "\\PC{0,40}") {
        let _ = (number(&text), shown(&text), obis::parse(&text), Unit::of_word(&text), parse_epoch(&text));
        for (unit, ..) in UNITS {
            let _ = (unit.value(&text), unit.register_mwh(&text));
        }
    }

    /// A factor in decimal, against whole numbers.
    #[test]
    fn a_factor_is_exact(mwh in 0_i64..1_000_000_000_000, digits in 1_u32..1_000_000, decimals in 0_u32..4) {
        let divisor = 10_i128.pow(decimals);
        let factor = f64::from(digits) / 10_f64.powi(i32::try_from(decimals).unwrap());
        let made = Multiplier::new(factor).unwrap().register_mwh(mwh);
        let product = i128::from(mwh) * i128::from(digits);
        prop_assert_eq!(i128::from(made), (product * 2 + divisor).div_euclid(divisor * 2));
    }

    #[test]
    fn levels_put_together_are_the_topic(levels in prop::collection::vec("[a-z]{0,3}", 1..7)) {
        let text = levels.join("/");
        let topic = Topic(&text);
        prop_assert_eq!(topic.count(), levels.len());
        for (number, level) in (1..).zip(&levels) {
            prop_assert_eq!(topic.level(number), level);
            prop_assert_eq!(topic.from(number), levels[number - 1..].join("/"));
        }
    }
}
