//! One message through one family, and what came of it as a line of text that a table can hold.

use wattline_formats::draft::{Draft, Drafts, Outcome, Stop};
use wattline_formats::message::Message;
use wattline_formats::time::DeviceTime;
use wattline_formats::{Decoder, Family, FamilyOptions, Memory, Topic};
use wattline_reading::{Measures, Phase};

/// Topic, payload, and what must come of them; see [`line`].
pub(crate) type Case = (&'static str, &'static str, &'static str);

pub(crate) fn decode(family: &str, options: &FamilyOptions, topic: &str, payload: &[u8]) -> Outcome {
    let decoder = Decoder::new(Family::named(family).unwrap(), &[]).unwrap();
    decoder.decode(&Message { topic: Topic(topic), payload, options }, &mut Memory::default())
}

/// All cases of a family; those that come out otherwise are shown together.
pub(crate) fn assert_made(family: &str, cases: &[Case]) {
    assert_made_with(family, &FamilyOptions::default(), cases);
}

pub(crate) fn assert_made_with(family: &str, options: &FamilyOptions, cases: &[Case]) {
    let wrong = cases.iter().filter_map(|(topic, payload, expected)| {
        let made = line(&decode(family, options, topic, payload.as_bytes()));
        (made != *expected)
            .then(|| format!("{topic} {payload}\n    expected: {expected}\n    made:     {made}"))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{family}:\n  {}", wrong.join("\n  "));
}

/// `<channel> id=… P=… in=… out=… U=… I=… pf=… f=… soc=… L1(P=… U=… I=…) @time; … | left out field=reason, …`: watts,
/// mWh, volts, amperes; or `ignored why`, `refused why`.
pub(crate) fn line(outcome: &Outcome) -> String {
    match outcome {
        Ok(drafts) => drafts_line(drafts),
        Err(Stop::Ignore(why, _)) => format!("ignored {}", why.as_str()),
        Err(Stop::NotThisFamily) => "not this family".to_owned(),
        Err(Stop::Reject(refusal)) => format!("refused {}", refusal.reason.as_str()),
    }
}

fn drafts_line(drafts: &Drafts) -> String {
    let mut text = drafts.drafts.iter().map(draft_line).collect::<Vec<_>>().join("; ");
    let omitted = drafts.omitted.iter().map(|left| format!("{}={}", left.field, left.reason.as_str()));
    let omitted: Vec<_> = omitted.collect();
    if !omitted.is_empty() {
        text = format!("{text} | left out {}", omitted.join(", "));
    }
    text
}

fn draft_line(draft: &Draft) -> String {
    let mut parts = Vec::new();
    if !draft.channel.is_empty() {
        parts.push(format!("<{}>", draft.channel));
    }
    parts.extend(draft.id.as_ref().map(|id| format!("id={id}")));
    measures(&draft.measures, &mut parts);
    parts.extend(time(&draft.time).map(|time| format!("@{time}")));
    parts.extend(time(&draft.register_epoch).map(|time| format!("since {time}")));
    parts.join(" ")
}

fn measures(measures: &Measures, parts: &mut Vec<String>) {
    let Measures {
        power_w,
        energy_import_mwh,
        energy_export_mwh,
        voltage_v,
        current_a,
        power_factor,
        frequency_hz,
        soc_pct,
        phases,
    } = measures;
    add(parts, "P", *power_w);
    add(parts, "in", *energy_import_mwh);
    add(parts, "out", *energy_export_mwh);
    add(parts, "U", *voltage_v);
    add(parts, "I", *current_a);
    add(parts, "pf", *power_factor);
    add(parts, "f", *frequency_hz);
    add(parts, "soc", *soc_pct);
    for (number, Phase { power_w, voltage_v, current_a }) in (1..).zip(phases) {
        let mut inner = Vec::new();
        add(&mut inner, "P", *power_w);
        add(&mut inner, "U", *voltage_v);
        add(&mut inner, "I", *current_a);
        parts.push(format!("L{number}({})", inner.join(" ")));
    }
}

fn add<T: ToString>(parts: &mut Vec<String>, name: &str, value: Option<T>) {
    parts.extend(value.map(|value| format!("{name}={}", value.to_string())));
}

fn time(time: &DeviceTime) -> Option<String> {
    Some(match time {
        DeviceTime::Absent => return None,
        DeviceTime::Unset => "unset".to_owned(),
        DeviceTime::At(ts) => ts.to_string(),
        DeviceTime::Local(local) => format!("local {local}"),
        DeviceTime::Unreadable(_) => "unreadable".to_owned(),
    })
}
