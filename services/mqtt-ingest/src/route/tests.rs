//! Routes as an operator writes them.

use super::*;

fn route(filter: &str, meter_id: &str) -> anyhow::Result<Routes> {
    let settings = RouteSettings {
        meter_id: Some(meter_id.to_owned()),
        ..RouteSettings::new(filter, Decoder::WATTLINE_JSON)
    };
    Routes::new(&[settings], &[])
}

fn named(filter: &str, decoder: &str) -> RouteSettings {
    RouteSettings::new(filter, Decoder::named(decoder).unwrap())
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
    for (one, other) in [("a/+", "a/b"), ("a/#", "a/b/c"), ("+/b", "a/+"), ("x", "x")] {
        let error = Routes::new(&[named(one, "tasmota"), named(other, "esphome")], &[]).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(&format!("{one:?} (tasmota)")), "{error}");
        assert!(error.contains(&format!("{other:?} (esphome)")), "{error}");
    }
    assert!(Routes::new(&[named("a/+/b", "tasmota"), named("a/+/c", "esphome")], &[]).is_ok());
}

#[test]
fn a_route_of_the_configuration_comes_before_the_defaults() {
    let all = ["all".to_owned()];
    let routes = Routes::new(&[named("tele/kitchen/SENSOR", "generic-json")], &all).unwrap();
    assert_eq!(routes.find("tele/kitchen/SENSOR").unwrap().decoder.name(), "generic-json");
    assert_eq!(routes.find("tele/bath/SENSOR").unwrap().decoder.name(), "tasmota");
    let filters = routes.filters();
    assert!(!filters.iter().any(|filter| filter == "tele/kitchen/SENSOR"), "another covers it: {filters:?}");
    let routes = Routes::new(&[named("tele/#", "generic-json")], &all).unwrap();
    assert_eq!(routes.find("tele/bath/SENSOR").unwrap().decoder.name(), "generic-json");
    assert!(!routes.filters().iter().any(|filter| filter == "tele/+/+"));
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
            let decided = one.split('/').next() != other.split('/').next();
            assert!(decided, "{one} and {other} overlap");
        }
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
