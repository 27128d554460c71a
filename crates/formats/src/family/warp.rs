//! WARP Charger (Tinkerforge): `warp/<id>/meter/values` with the wallbox's own meter, or whichever is linked there. Below
//! `meters/<slot>` `values` is a list of numbers, and another topic, `value_ids`, says what they are: a message alone doesn't.

use wattline_reading::Reason;
use wattline_reading::limits::refuse;

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "warp",
    title: "WARP Charger (Tinkerforge)",
    routes: &[
        ("warp/+/meter/+", "warp/{2}"),
        ("warp2/+/meter/+", "warp/{2}"),
        ("warp3/+/meter/+", "warp/{2}"),
    ],
    reads: "`values`: power, energy_abs; `all_values`: voltages, currents and powers of the phases",
    units: "W, kWh, V, A",
    sign: "+ into the car (import)",
    time: "arrival",
    documents: &[
        "https://docs.warp-charger.com/docs/interfaces/mqtt_http/api_reference/meter",
        "https://github.com/Tinkerforge/esp32-firmware",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

const FIELDS: &[Field] =
    &[("power", Power, One), ("energy_abs", Import, Kilo), ("energy_rel", Not(Omitted::DayCounter), One)];

/// The first nine of `all_values`: U, I and P of L1 to L3.
const ALL_VALUES: [fn(u8) -> Quantity; 3] = [PhaseVoltage, PhaseCurrent, PhasePower];

fn decode(message: &Message<'_>) -> Outcome {
    let mut draft = Draft::default();
    let mut omitted = Vec::new();
    let in_slot = message.topic.level(message.topic.count().saturating_sub(2)) == "meters";
    match message.topic.last() {
        "values" if in_slot => {
            let detail =
                "what each number is stands in `value_ids` beside it: read them by a declarative route";
            return Err(refuse(Reason::AliasUnknown, detail.to_owned()).into());
        }
        "values" => collect(&message.object()?, FIELDS, &mut draft, &mut omitted),
        "all_values" => {
            let json = message.json()?;
            for (three, of_phase) in json.items().chunks_exact(3).zip(ALL_VALUES) {
                for (phase, value) in (0_u8..).zip(three) {
                    set_json(&mut draft, of_phase(phase), value, One, "all_values", &mut omitted);
                }
            }
        }
        "state" | "type_override" | "error_counters" | "phases" | "value_ids" | "config" | "errors" => {
            return Err(Ignored::Status.into());
        }
        _ => return Err(Ignored::OtherQuantity.into()),
    }
    Drafts::one(draft, omitted, Ignored::NoValue)
}
