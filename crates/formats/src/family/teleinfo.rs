//! Teleinfo (TIC) of French meters, as JSON: teleinfo2mqtt, LibTeleinfo and its like. `PAPP` and `SINSTS` are
//! apparent power; the index of one tariff is not the register, the sum of all of a contract is.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "teleinfo",
    title: "Teleinfo (Linky and older French meters)",
    routes: &[("teleinfo/+", "teleinfo/{2}"), ("teleinfo/+/+", "teleinfo/{2}")],
    reads: "BASE, EAST, the sum of all indexes of a contract (HCHC + HCHP, EJP, Tempo), EAIT, IINST, URMS1",
    units: "Wh, A, V",
    sign: "+ import",
    time: "`DATE` of the standard mode, with its season; else arrival",
    documents: &[
        "https://www.enedis.fr/media/2035/download (Enedis-NOI-CPT_54E)",
        "https://github.com/fmartinou/teleinfo2mqtt",
        "https://tasmota.github.io/docs/Teleinfo/",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const FIELDS: &[Field] = &[
    ("BASE", Import, One),
    ("EAST", Import, One),
    ("EAIT", Export, One),
    ("IINST", Current, One),
    ("IRMS1", PhaseCurrent(0), One),
    ("IRMS2", PhaseCurrent(1), One),
    ("IRMS3", PhaseCurrent(2), One),
    ("IINST1", PhaseCurrent(0), One),
    ("IINST2", PhaseCurrent(1), One),
    ("IINST3", PhaseCurrent(2), One),
    ("URMS1", PhaseVoltage(0), One),
    ("URMS2", PhaseVoltage(1), One),
    ("URMS3", PhaseVoltage(2), One),
    ("PAPP", Not(Omitted::ApparentPower), One),
    ("SINSTS", Not(Omitted::ApparentPower), One),
    ("SINSTS1", Not(Omitted::ApparentPower), One),
    ("SINSTI", Not(Omitted::ApparentPower), One),
    ("EASF01", Not(Omitted::PartialRegister), One),
    ("EASF02", Not(Omitted::PartialRegister), One),
];

/// Other labels of a frame.
const OTHERS: &[&str] = &[
    "ADCO", "ADSC", "ADIR1", "OPTARIF", "ISOUSC", "PTEC", "IMAX", "HHPHC", "MOTDETAT", "PPOT", "VTIC",
    "DATE", "NGTF", "LTARF", "PREF", "PCOUP", "STGE", "MSG1", "PRM", "RELAIS", "NTARF", "NJOURF",
];

/// The indexes of each contract of the historic mode: only all of them are the register.
const CONTRACTS: [&[&str]; 3] = [
    &["HCHC", "HCHP"],
    &["EJPHN", "EJPHPM"],
    &["BBRHCJB", "BBRHPJB", "BBRHCJW", "BBRHPJW", "BBRHCJR", "BBRHPJR"],
];

fn decode(message: &Message<'_>) -> Outcome {
    // The colours of the days of that contract.
    if message.topic.last() == "tempo" {
        return Err(Ignored::OtherQuantity.into());
    }
    let json = message.object()?;
    let json = json.get("TIC").unwrap_or(&json);
    let time = json.get("DATE").map_or(DeviceTime::Absent, |date| {
        let date = date.get("horodate").or_else(|| date.get("raw")).unwrap_or(date);
        DeviceTime::from_meter(date.scalar().unwrap_or_default())
    });
    let mut draft = Draft::at(time);
    // The address of an older meter, of a Linky.
    draft.id = ["ADCO", "ADSC"].into_iter().find_map(|name| address(json.get(name)?));
    let mut omitted = Vec::new();
    frame(json, &mut draft, &mut omitted);
    Drafts::one(draft, omitted, OwnWords(json, OTHERS))
}

/// teleinfo2mqtt puts each value into an object; of its twelve digits a number has lost the zeros before it.
fn address(value: &Json<'_>) -> Option<String> {
    let value = value.get("raw").or_else(|| value.get("value")).unwrap_or(value);
    let is_address = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let text = value.scalar().filter(is_address)?;
    Some(if matches!(value, Json::Number(_)) { format!("{text:0>12}") } else { text.to_owned() })
}

/// The labels of one frame. teleinfo2mqtt puts each value into an object with `raw` and `value`.
pub(super) fn frame(object: &Json<'_>, draft: &mut Draft, omitted: &mut Vec<Omission>) {
    let plain = |value: &Json<'_>| -> Option<String> {
        let value = value.get("value").or_else(|| value.get("raw")).unwrap_or(value);
        value.scalar().map(str::to_owned)
    };
    for (name, value) in object.fields() {
        let Some((_, quantity, unit)) = find(FIELDS, name) else { continue };
        match plain(value) {
            Some(text) => draft.set(*quantity, &text, *unit, name, omitted),
            None if value.is_nothing() => draft.say_no_value(),
            None => set_json(draft, *quantity, value, *unit, name, omitted),
        }
    }
    for contract in CONTRACTS {
        let values: Vec<_> = contract.iter().map(|name| object.get(name).and_then(plain)).collect();
        let complete = values.iter().all(Option::is_some);
        for (index, (name, value)) in (0_u8..).zip(contract.iter().zip(&values)) {
            match value {
                Some(text) if complete => {
                    draft.set(ImportTariff(index), text, One, name, omitted);
                }
                Some(_) => omitted.push(Omission::new(name, Omitted::PartialRegister)),
                None => {}
            }
        }
    }
}
