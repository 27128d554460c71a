//! Victron Venus OS: `N/<portal>/<service>/<instance>/<path>` with `{"value":…}`, a topic for each value.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "victron",
    title: "Victron Venus OS (GX)",
    routes: &[
        ("N/+/grid/+/#", "victron/{2}/{3}/{4}"),
        ("N/+/pvinverter/+/#", "victron/{2}/{3}/{4}"),
        ("N/+/acload/+/#", "victron/{2}/{3}/{4}"),
        ("N/+/genset/+/#", "victron/{2}/{3}/{4}"),
        ("N/+/evcharger/+/#", "victron/{2}/{3}/{4}"),
        ("N/+/heatpump/+/#", "victron/{2}/{3}/{4}"),
        ("N/+/battery/+/#", "victron/{2}/{3}/{4}"),
    ],
    reads: "`Ac/Power`, `Ac/Energy/Forward`, `Ac/Energy/Reverse`, `Ac/LN/Power|Voltage|Current`, `Ac/Frequency`; of a \
            battery `Soc`",
    units: "W, kWh, V, A, Hz, %",
    sign: "+ import; `pvinverter` and `genset` feed in: negative, counted as export",
    time: "arrival",
    documents: &[
        "https://github.com/victronenergy/dbus-flashmq",
        "https://github.com/victronenergy/venus/wiki/dbus",
    ],
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

fn decode(message: &Message<'_>) -> Outcome {
    let service = message.topic.level(3);
    let path = message.topic.from(5);
    let generates = matches!(service, "pvinverter" | "genset");
    let (quantity, unit) = match path {
        // All else of a battery is its direct current side.
        "Soc" if service == "battery" => (StateOfCharge, One),
        _ if service == "battery" && path.starts_with("Dc/") => {
            return Err(Stop::left_out(path, Omitted::DcSide));
        }
        _ if service == "battery" => return Err(Ignored::OtherQuantity.into()),
        "Ac/Power" if generates => (PowerGenerated, One),
        "Ac/Power" => (Power, One),
        "Ac/Energy/Forward" if generates => (Export, Kilo),
        "Ac/Energy/Forward" => (Import, Kilo),
        "Ac/Energy/Reverse" if generates => (Import, Kilo),
        "Ac/Energy/Reverse" => (Export, Kilo),
        "Ac/Frequency" => (Frequency, One),
        "Ac/Voltage" => (Voltage, One),
        "Ac/Current" => (Current, One),
        "Ac/PowerFactor" => (PowerFactor, One),
        _ => match of_phase(path, generates) {
            Some(quantity) => (quantity, One),
            None => return Err(Ignored::OtherQuantity.into()),
        },
    };
    let json = message.object()?;
    let Some(value) = json.get("value").and_then(Json::scalar) else {
        return Err(Ignored::NoValue.into());
    };
    let mut draft = Draft::default();
    let mut omitted = Vec::new();
    draft.set(quantity, value, unit, path, &mut omitted);
    Drafts::one(draft, omitted, Ignored::NoValue)
}

fn of_phase(path: &str, generates: bool) -> Option<Quantity> {
    let (phase, field) = path.strip_prefix("Ac/L")?.split_once('/')?;
    let phase = match phase {
        "1" => 0,
        "2" => 1,
        "3" => 2,
        _ => return None,
    };
    Some(match field {
        "Power" if generates => PhaseGenerated(phase),
        "Power" => PhasePower(phase),
        "Voltage" => PhaseVoltage(phase),
        "Current" => PhaseCurrent(phase),
        "Energy/Forward" | "Energy/Reverse" => Not(Omitted::PartialRegister),
        _ => return None,
    })
}
