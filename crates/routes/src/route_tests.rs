//! Routes as an operator writes them.

use super::*;
use crate::filter::matches;
use crate::{Decoded, Input, Judge, Memory};

fn route(filter: &str, meter_id: &str) -> anyhow::Result<Routes> {
    let settings = RouteSettings {
        meter_id: Some(meter_id.to_owned()),
        ..RouteSettings::new(filter, Family::WATTLINE_JSON)
    };
    Routes::new(&[settings], &[])
}

fn named(filter: &str, decoder: &str) -> RouteSettings {
    RouteSettings::new(filter, Family::named(decoder).unwrap())
}

#[test]
fn the_id_is_made_of_topic_levels() {
    let id = |filter: &str, template: &str, topic: &str| {
        route(filter, template).unwrap().find(topic).unwrap().meter_id(topic, None, "")
    };
    assert_eq!(id("wattline/+/reading", "{2}", "wattline/m-1/reading"), "m-1");
    assert_eq!(id("site/+/shelly/+/#", "{2}/{4}-em", "site/a/shelly/b/status"), "a/b-em");
    assert_eq!(id("zigbee2mqtt/#", "{2+}", "zigbee2mqtt/kitchen/plug"), "kitchen/plug");
    assert_eq!(id("grid/power", "house", "grid/power"), "house");
    assert!(route("a/+", "{2}").unwrap().find("other").is_none());
}

#[test]
fn an_id_of_the_payload_counts_below_the_topics_own() {
    let topic = "gateway/7/up";
    let mut settings = named("gateway/+/up", "generic-json");
    let id = |settings: &RouteSettings| {
        let routes = Routes::new(std::slice::from_ref(settings), &[]).unwrap();
        routes.find(topic).unwrap().meter_id(topic, Some("m1"), "l1")
    };
    assert_eq!(id(&settings), "7/m1/l1");
    settings.trusted = true;
    assert_eq!(id(&settings), "m1/l1");
    settings.meter_id = Some("site-{2}-{id}".to_owned());
    assert_eq!(id(&settings), "site-7-m1/l1");
    settings.trusted = false;
    let error = Routes::new(&[settings], &[]).unwrap_err().to_string();
    assert!(error.contains("trusted = true"), "{error}");
}

/// The id of the only reading, or the word of the refusal.
fn judged(settings: &RouteSettings, topic: &str, payload: &str) -> String {
    let routes = Routes::new(std::slice::from_ref(settings), &[]).unwrap();
    let judge = Judge { routes, limits: Limits::default(), payload_bytes_max: 65_536 };
    let (payload, received_at) = (payload.as_bytes(), Timestamp::from_micros(1_795_168_830_000_000));
    let input = Input { topic, payload, retained: false, redelivered: false, received_at };
    match judge.decide(&input, &mut Memory::default(), |_| {}) {
        Decoded::Readings(mut readings) => readings.remove(0).meter_id,
        Decoded::Reject(refusal) => format!("{}: {}", refusal.reason.as_str(), refusal.detail),
        Decoded::Ignore(why) => why.as_str().to_owned(),
    }
}

/// What a device says before it knows its id makes no meter of its own.
#[test]
fn a_word_for_no_id_is_none_in_any_message() {
    let settings = named("meters/+", "generic-json");
    for said in
        ["", r#""device_id":"","#, r#""device_id":"None","#, r#""device_id":null,"#, r#""MeterID":"nan","#]
    {
        for payload in [format!(r#"{{{said}"power":5}}"#), format!(r#"[{{{said}"power":5}}]"#)] {
            assert_eq!(judged(&settings, "meters/h1", &payload), "generic-json/h1", "{payload}");
        }
    }
    let known = r#"{"device_id":"","serial":"7E16","power":5}"#;
    assert_eq!(judged(&settings, "meters/h1", known), "generic-json/h1/7E16", "another field knows it");
}

#[test]
fn one_name_in_two_spellings_is_one_meter() {
    let own = named("wattline/+/reading", "wattline-json");
    let json = r#"{"power_w":5}"#;
    for topic in ["wattline/Küche/reading", "wattline/Ku\u{308}che/reading", "wattline/ Küche /reading"] {
        assert_eq!(judged(&own, topic, json), "Küche", "{topic:?}");
    }
    let mut settings = named("gateway/+/up", "generic-json");
    for (topic, id, meter) in [
        ("gateway/7/up", "Küche", "7/Küche"),
        ("gateway/7/up", "Ku\u{308}che", "7/Küche"),
        ("gateway/Küche/up", "Ku\u{308}che", "Küche"),
        ("gateway/Ku\u{308}che/up", "Küche", "Küche"),
        ("gateway/Küche /up", "\u{a0}Küche", "Küche"),
        ("gateway/7/up", "Z\u{a0}1", "7/Z 1"),
        ("gateway/7/up", " ", "7"),
    ] {
        assert_eq!(
            judged(&settings, topic, &format!(r#"{{"meter_id":"{id}","power":5}}"#)),
            meter,
            "{topic:?} {id:?}"
        );
    }
    settings.meter_id = Some("Ku\u{308}che {2}".to_owned());
    assert_eq!(judged(&settings, "gateway/7/up", r#"{"power":5}"#), "Küche 7");
}

#[test]
fn a_name_that_nobody_sees_whole_is_no_id() {
    let own = named("wattline/+/reading", "wattline-json");
    let gateway = named("gateway/+/up", "generic-json");
    for hidden in ['\u{202e}', '\u{2067}', '\u{200b}', '\u{feff}', '\u{ad}'] {
        let name = format!("m{hidden}1");
        let number = format!("U+{:04X}", u32::from(hidden));
        for refused in [
            judged(&own, &format!("wattline/{name}/reading"), r#"{"power_w":5}"#),
            judged(&gateway, &format!("gateway/{name}/up"), r#"{"power":5}"#),
            judged(&gateway, "gateway/7/up", &format!(r#"{{"meter_id":"{name}","power":5}}"#)),
        ] {
            assert!(refused.starts_with("meter_id_invalid: ") && refused.contains(&number), "{refused}");
        }
    }
}

#[test]
fn a_wrong_route_says_what_is_wrong() {
    for (filter, meter_id, word) in [
        ("wattline/+/reading", "fixed", "all meters would be one"),
        ("wattline/+/reading", "{4}", "the filter has 3"),
        ("wattline/+/reading", "{0}", "no topic level"),
        ("wattline/+/reading", "{2", "has no }"),
        ("wattline/#/reading", "{2}", "only in the last"),
        ("wattline/a+/reading", "{2}", "stand alone"),
        ("$share/g/x/+", "{2}", "without $share"),
        ("", "{1}", "empty"),
        ("a/b", "", "empty"),
    ] {
        let error = format!("{:#}", route(filter, meter_id).unwrap_err());
        assert!(error.contains(word), "{error}");
    }
    let error = |change: &dyn Fn(&mut RouteSettings)| {
        let mut settings = named("a/+", "generic-json");
        change(&mut settings);
        format!("{:#}", Routes::new(&[settings], &[]).unwrap_err())
    };
    assert!(error(&|route| route.multiplier = Some(0.0)).contains("multiplier"));
    assert!(error(&|route| route.multiplier = Some(f64::NAN)).contains("multiplier"));
    assert!(error(&|route| route.time_zone = "Mars/Base".to_owned()).contains("Europe/Berlin"));
    let error = Routes::new(&[], &["tasmoto".to_owned()]).unwrap_err().to_string();
    assert!(error.contains("tasmoto"), "{error}");
}

#[test]
fn two_routes_that_overlap_are_refused_with_both_named() {
    for (one, other) in [("+/b", "a/+"), ("x", "x"), ("+/+/c", "a/#")] {
        let error = Routes::new(&[named(one, "tasmota"), named(other, "esphome")], &[]).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(&format!("{one:?} (tasmota)")), "{error}");
        assert!(error.contains(&format!("{other:?} (esphome)")), "{error}");
    }
    assert!(Routes::new(&[named("a/+/b", "tasmota"), named("a/+/c", "esphome")], &[]).is_ok());
}

#[test]
fn of_two_routes_the_more_specific_one_takes_the_topic() {
    for (wide, narrow, topic) in [
        ("a/+", "a/b", "a/b"),
        ("a/#", "a/b/c", "a/b/c"),
        ("a/#", "a/+/c", "a/x/c"),
        ("+/+/c", "a/+/c", "a/x/c"),
    ] {
        for settings in [[(wide, "tasmota"), (narrow, "esphome")], [(narrow, "esphome"), (wide, "tasmota")]] {
            let settings = settings.map(|(filter, family)| named(filter, family));
            let routes = Routes::new(&settings, &[]).unwrap();
            assert_eq!(routes.find(topic).unwrap().family.name, "esphome", "{wide} {narrow}");
            assert_eq!(routes.filters(), [wide], "one subscription brings both");
        }
    }
    let error = Routes::new(&[named("a/#", "tasmota"), named("a/b", "sparkplug")], &[]).unwrap_err();
    assert!(error.to_string().contains("overlap"), "it has a subscription of its own: {error}");
}

#[test]
fn a_route_of_the_configuration_comes_before_the_defaults() {
    let all = ["all".to_owned()];
    let routes = Routes::new(&[named("tele/kitchen/SENSOR", "generic-json")], &all).unwrap();
    assert_eq!(routes.find("tele/kitchen/SENSOR").unwrap().family.name, "generic-json");
    assert_eq!(routes.find("tele/bath/SENSOR").unwrap().family.name, "tasmota");
    let filters = routes.filters();
    assert!(!filters.iter().any(|filter| filter == "tele/kitchen/SENSOR"), "another covers it: {filters:?}");
    let routes = Routes::new(&[named("tele/#", "generic-json")], &all).unwrap();
    assert_eq!(routes.find("tele/bath/SENSOR").unwrap().family.name, "generic-json");
    assert!(!routes.filters().iter().any(|filter| filter == "tele/+/+"));
}

/// Devices of two families, or of two homes' software, often have one name.
#[test]
fn a_default_id_begins_with_its_family() {
    let routes = Routes::new(&[], &["all".to_owned()]).unwrap();
    let id = |topic, id| routes.find(topic).unwrap().meter_id(topic, id, "");
    assert_eq!(id("tele/kitchen/SENSOR", None), "tasmota/kitchen");
    assert_eq!(id("zigbee2mqtt/kitchen", None), "zigbee2mqtt/kitchen");
    assert_eq!(id("wattline/kitchen/reading", None), "kitchen");
    assert_eq!(id("homewizard/5c2f", Some("5c2f")), "homewizard/5c2f", "said twice, and one meter");
    for family in wattline_formats::FAMILIES.iter().filter(|family| family.name != "wattline-json") {
        for (filter, id) in family.routes {
            let rest = id.strip_prefix(family.name);
            assert!(rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')), "{filter}: {id}");
        }
    }
}

#[test]
fn default_routes_differ_in_a_level_that_one_of_them_names() {
    let routes = Routes::new(&[], &["all".to_owned()]).unwrap();
    for (index, one) in routes.all().iter().enumerate() {
        for other in &routes.all()[..index] {
            let (one, other) = (&one.filter, &other.filter);
            if !overlap(one, other) {
                continue;
            }
            // Only a device that is called like another family's prefix could be meant by both.
            let inside = covers(one, other) || covers(other, one);
            let decided = inside || one.split('/').next() != other.split('/').next();
            assert!(decided, "{one} and {other} overlap");
        }
    }
}

/// A broker sends one copy for each subscription of the session that matches.
#[test]
fn no_subscription_brings_what_another_brings() {
    let routes = Routes::new(&[named("site/#", "generic-json")], &["all".to_owned()]).unwrap();
    let (grouped, plain) = (routes.filters(), routes.plain_filters());
    let wanted: Vec<&String> = grouped.iter().chain(&plain).collect();
    assert!(plain.iter().all(|filter| filter.starts_with("spBv1.0/")), "{plain:?}");
    assert!(!grouped.contains(&"SMA-EM/status/+".to_owned()), "+/status/+ brings it");
    for route in routes.all() {
        let topic = route.filter.replace('+', "device-1").replace('#', "a/b");
        assert_eq!(wanted.iter().filter(|filter| matches(filter, &topic)).count(), 1, "{topic}");
    }
    for (index, one) in wanted.iter().enumerate() {
        for other in &wanted[..index] {
            assert!(!covers(one, other) && !covers(other, one), "{one} {other}");
            if !overlap(one, other) {
                continue;
            }
            // What remains needs a device that is called as a level of another family: `solar/status/…`.
            let (open, named) = if one.starts_with("+/") { (one, other) } else { (other, one) };
            assert!(open.starts_with("+/") && !named.starts_with('+'), "{one} {other}");
            let word = open
                .split('/')
                .zip(named.split('/'))
                .skip(1)
                .any(|(word, level)| !word.starts_with(['+', '#']) && (level == "+" || level == "#"));
            assert!(word, "{one} {other}");
        }
    }
}

#[test]
fn the_routes_bound_of_power_holds_behind_its_multiplier() {
    let mut settings = named("wattline/+/reading", "wattline-json");
    (settings.max_power_w, settings.multiplier) = (Some(3680.0), Some(2.0));
    let judge = crate::Judge {
        routes: Routes::new(&[settings], &[]).unwrap(),
        limits: Limits::default(),
        payload_bytes_max: 65_536,
    };
    let decide = |payload: &str| {
        let received_at = Timestamp::from_micros(1_795_168_830_000_000);
        let (topic, payload) = ("wattline/m1/reading", payload.as_bytes());
        let input = crate::Input { topic, payload, retained: false, redelivered: false, received_at };
        match judge.decide(&input, &mut crate::Memory::default(), |_| {}) {
            crate::Decoded::Readings(_) => None,
            crate::Decoded::Reject(refusal) => Some(refusal.reason),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(decide(r#"{"power_w":-1840}"#), None);
    assert_eq!(decide(r#"{"power_w":1841}"#), Some(Reason::PowerImplausible));
    assert_eq!(decide(r#"{"phases":[{},{"power_w":-1841}]}"#), Some(Reason::PowerImplausible));
    for wrong in [0.0, -1.0, f64::NAN] {
        let mut settings = named("a/+", "generic-json");
        settings.max_power_w = Some(wrong);
        let error = Routes::new(&[settings], &[]).unwrap_err().to_string();
        assert!(error.contains("max_power_w"), "{error}");
    }
}

#[test]
fn every_default_filter_leads_to_its_own_family() {
    let routes = Routes::new(&[], &["all".to_owned()]).unwrap();
    for route in routes.all() {
        let topic = route.filter.replace('+', "device-1").replace('#', "a");
        let found = routes.find(&topic).unwrap();
        assert_eq!(found.filter, route.filter, "{topic}");
    }
}

#[test]
fn a_multiplier_is_exact_for_registers() {
    let multiplier = Multiplier::new(1.5).unwrap();
    assert_eq!(multiplier.register_mwh(1001), 1502);
    assert_eq!(Multiplier::new(40.0).unwrap().register_mwh(123_456_789_012), 4_938_271_560_480);
    assert_eq!(Multiplier::new(-1.0), None);
    assert_eq!(Multiplier::new(1e30), None);
}

#[test]
fn a_stranger_is_a_dead_letter_and_counted_by_its_route() {
    let routes = Routes::new(&[named("own/+", "generic-json")], &["ahoydtu".to_owned()]).unwrap();
    let judge = Judge { routes, limits: Limits::default(), payload_bytes_max: 100 };
    for (topic, payload) in [("inverter/Huawei/ACTIVE_POWER", "3120"), ("own/x", r#"{"temperature":21.5}"#)] {
        let received_at = Timestamp::now();
        let payload = payload.as_bytes();
        let input = Input { topic, payload, retained: false, redelivered: false, received_at };
        let Decoded::Reject(refusal) = judge.decide(&input, &mut Memory::default(), |_| {}) else {
            panic!("{topic}")
        };
        assert_eq!(refusal.reason, Reason::NotThisFamily);
        let route = judge.routes.find(topic).unwrap();
        assert!(refusal.detail.contains(&route.filter) && refusal.detail.contains(route.family.name));
        assert_eq!(route.strangers.load(Ordering::Relaxed), 1, "{topic}");
    }
}
