//! `docs/formats.md` is made of the code: this writes it (`WATTLINE_BLESS=1`) and compares it.

use std::fmt::Write;
use std::path::Path;

use wattline_formats::{FAMILIES, Ignored, Omitted};
use wattline_reading::Reason;

const HEAD: &str = r#"# Device formats

This page is made from the code (`crates/routes/src/document.rs`); a test compares it.
`wattlinectl decode --topic TOPIC < payload` says what ingest would make of a message, with no server.

## How a message becomes readings
1. A **route** leads the topic to a **decoder**: those of the configuration first, then the default routes of the
   families that `families` switches on (`["all"]`, or names of decoders). Of several filters that match a topic the more
   specific one counts: one that names a level goes before one with `+` there, and that before `#`. Two routes of the
   configuration that match a common topic, and of which none is inside the other, are refused at start, with both named.
2. The decoder reads the payload: what is not a meter's is *left out*, with a reason; a message without anything of a
   meter is *ignored*, with a reason; one that can't be read goes to the dead letters, whole. So does one that has not one
   word of the family (`not_this_family`): default routes have common prefixes, `energy/+`, and strangers publish there,
   too. It is counted by route, `wattline_mqtt_ingest_not_this_family_total{route}`. A route of its own for that topic goes
   before the default one; `decoder = "discovery"` ignores all that comes there.
3. What is the same for all devices follows: the meter's id, whose time counts, sign, multiplier, and the limits.

What devices say of themselves is `status`: by the family's own topics, any bare word on a topic that ends with
`status`, `availability`, `available`, `online`, `connected`, `connection`, `alive`, `state` or `LWT`, and elsewhere words such as
`online`, `offline`, `up`, `down`. Nothing is called so because it is not known.

Numbers may be text, with a decimal point or a decimal comma, and with their unit behind them (`1.2 kW`); registers are read
in decimal arithmetic, to the milliwatt-hour. Where a message says a unit that is none of the quantity's, a power in VA, it is
left out as `unit_unknown`. `nan`, `None`, `null`, `unavailable`, `unknown`, `n/a` and an empty text mean "no value". A message that
holds nothing else, `{"value":null}`, `{}` or `[]`, is ignored as `no_value`, whatever its family; only of Wattline's own
JSON it is a dead letter, so that its author sees it. An ignored message with a number that looks like a measure says of
which field, and why it is not taken.

Of two equal keys in a JSON object the last counts. A power factor above 1 is per cent. Power that a device gives for import
and export apart is import less export; so is one that isn't negative although the message says that something is fed in. Where
only one of them is in a message and says 0, nothing is known. Tariff registers are summed where they are all in one message, and left out where they are not.

## A route
    [[routes]]
    filter = "site/+/energy/SENSOR"   # MQTT topic filter
    decoder = "tasmota"               # a name of the table below
    meter_id = "{2}"                  # {N}: level N of the topic; {N+}: it and all behind; {id}: the payload's own id
    trusted = false                   # true: the payload's id counts alone (a gateway); else below the topic's own
    time = "device-if-plausible"      # or "device", "arrival"
    time_zone = "Europe/Berlin"       # for times without zone; without it they are not used, arrival is
    sign = "usual"                    # "reversed": import and export are exchanged
    multiplier = 40.0                 # power, current and registers: the ratio of current transformers
    energy_unit = "kilo"              # "one" (Wh), "kilo" (kWh), …: where neither payload nor family says it
    power_unit = "one"                # the same for powers: "one" (W), "kilo" (kW), "milli" (mW)
    current_unit = "milli"            # and for currents: "one" (A), "milli" (mA)
    max_power_w = 3680.0              # the most that the device can take or give; more is a dead letter
    [routes.channels]                 # vzlogger: what its channels are
    chn0 = "1-0:1.8.0"

Without `meter_id` the family's own rule holds (the table), or the levels for which the filter has wildcards. Of one name
there is one id, however it is written: letters are composed (Unicode's NFC), every kind of space is the usual one, spaces
around a level are trimmed, and what chooses the picture of an emoji (U+FE0F) is dropped. An id with a character that nobody
sees, such as U+200B or one that turns the text (U+202E), is a dead letter `meter_id_invalid`. `meter(id:)`, `search` and
`meters.allow_file` read ids the same way.

A time that can't be read is a dead letter. One that is too far ahead or too old is replaced by arrival and counted, where
the message has each measure of a meter once: `device-if-plausible`, the default. In a message with several instants of one
meter, in a retained one, and with `device` it is a dead letter; with `arrival` nobody looks. A device without a clock
(0, 1970) is stamped on arrival; a retained message without a device's time is ignored.

## The declarative decoder
    [[routes]]
    filter = "plant/+/all"
    decoder = "declarative"
    [[routes.readings]]               # one meter, or one for each item of an array
    each = "meters"                   # path of the array; the other paths begin at its items
    id = "no"                         # path of the meter's id
    channel = ""                      # fixed text behind the id
    time = { path = "t", unit = "s" } # "auto" (by size, or ISO 8601), "s", "ms", "us", "ns"
    power_w = { path = "p[0].kw", unit = "kilo", negate = true }
    energy_import_wh = { path = "e", scale = 1.5 }
    voltage_v = { constant = 230.0 }
    phases = [{ current_a = { path = "i[0]", unit = "milli" } }]

    [[routes]]                        # parts of a value
    filter = "hall/+/meter"
    decoder = "declarative"
    [[routes.readings]]
    power_w = { path = "in", minus = "out", unit = "kilo" }           # import - export
    energy_import_wh = { sum = ["t1", "t2"], unit = "kilo" }          # the tariffs
    energy_export_wh = { path = "x.wh", time = { path = "x.t" } }     # a value with a time of its own

    [[routes]]                        # arrays within arrays
    filter = "iomtsgdata/+"
    decoder = "declarative"
    [[routes.readings]]
    each = ["", "data"]               # from the outermost inward; "" is the payload itself
    id = "^du"                        # ^: from the item around, ^^: from what is around that
    time = { path = "ts", unit = "ms" }
    power_w = { path = "p" }

    [[routes]]                        # a list without names: JSON, or numbers with commas (emonHub, node only)
    filter = "emonhub/rx/+/values"
    decoder = "declarative"
    [[routes.readings]]
    channel = "ct1"
    power_w = { path = "[0]" }
    [[routes.readings]]
    channel = "ct2"
    power_w = { path = "[1]" }

    [[routes]]                        # items without names: {index} is an item's place, from 1
    filter = "emonhub/rx/9/values"    # inside the filter above, so it goes before it
    decoder = "declarative"
    meter_id = "{3}"
    [[routes.readings]]
    each = ""
    channel = "ct{index}"
    power_w = { path = "" }

Where a part of a `sum`, or of a `path` with `minus`, has no value, the whole has none (`part_missing`). A path that isn't
there is no value; one that leads to something else than a number is a dead letter.

A path is `a.b[0].c`, or `["a.b"]` for a key with a dot; an empty one is the payload itself. Units: `one`, `kilo`,
`mega`, `deca`, `hecto`, `deci`, `centi`, `milli`, `watt-minute`, `joule`, `kilojoule`.

## Whose time
Each reading's case is counted by route, `wattline_mqtt_ingest_clock_total{route,clock}`: `device`; `device_behind`, more
than 5 min before arrival (a buffered reading, or a clock that is slow or in local time); `arrival_` with why: `absent`,
`unset` (0, 1970), `no_zone` (a local time, and the route has no `time_zone`), `skipped_hour`, `policy`, `unreadable`,
`ahead`, `too_old`; `refused_` with why: `unreadable`, `ahead`, `too_old`, which are dead letters.

## Families that remember
Sparkplug's DATA may give aliases alone; the BIRTH names them, and says their units and types. Its routes are subscribed to by
one replica without the group, which therefore sees both. A node's NBIRTH ends what its devices' DBIRTHs said, and so do NDEATH
(of the same `bdSeq`) and DDEATH. DATA is a dead letter `alias_unknown` where an alias has no name, where a device sent no DBIRTH
since its node's NBIRTH, and where a BIRTH was more than there is room for: an alias never means what it meant in an older
session. What was learned is gone with the process: until the next BIRTH, DATA by names is taken as it says, and by aliases
refused. With `mqtt.sparkplug_rebirth = true` the node is asked for its BIRTH at once; mqtt-ingest's user must be allowed to
publish on `spBv1.0/+/NCMD/+`. Else have BIRTHs repeated, or names sent in DATA.

Home Assistant's discovery is not remembered, so its `unit_of_measurement` is not used: replicas share the other routes' messages by
their group, to which MQTT sends nothing retained, and a reading's unit would depend on which replica has it and on what came
before. Where a name doesn't say the unit, the route does (`energy_unit`, `power_unit`, `current_unit`).

## Bridges whose topics their users choose
IoTaWatt, HomeWizard, Modbus meters and HAN or SML readers speak no MQTT themselves; a bridge does, and most let their user
choose the topic. Defaults are taken where the bridge has one: iwMQTT, homewizard-p1-mqtt's sample, spicierModbus2mqtt,
owagner/modbus2mqtt, modbus2mqtt.dev, sml2mqtt, SMLReader (`iot/smartmeter`, and `smartmeter/NAME`), tibber-pulse-bot. The other
filters (`iotawatt/+`, `homewizard/+`, `modbus/+`, `sdm/+`, `sdm120/+`, `sdm630/+`, `obis/+`, `han/+`, `sml/+`, `tibber/+`) are
ours: nobody publishes there by default that we know of. Tell the bridge to, or write a route for the topic that it has:

- modbus4mqtt: `--mqtt_topic_prefix modbus/NAME`, and names such as `active_power` as `pub_topic`; its own prefix,
  `modbus4mqtt`, is no default filter, since it holds values of several meters, some in kW by a comment.
- tibber-pulse-reader: `PUBLISH_MQTT_TOPIC=obis/{meterId}/{obisCode}`; its own, `{meterId}/{nameOrObisCode}`, begins with
  the meter's number.
- tibber2mqtt: `topic: modbus/NAME/power` and `format: utf8`; what it sends else is a number in four bytes.
- sml2mqtt with `Wh in kWh: false`: a route with `energy_unit = "one"`.
- SMLReader with another topic: a route `filter = "hall/sensor/+/obis/+/+/value"`, `decoder = "obis-json"`, `meter_id = "hall/{3}"`.
- WARP chargers: `meter/…` has the meter in slot 0, or the one that is linked there. Of others, `meters/1/values` is a list whose
  order `meters/1/value_ids` says: find the place of 74 (power) and 209 (import) there, and write a declarative route,
  `power_w = { path = "[3]" }`. The decoder `warp` refuses such a list as `alias_unknown`.

## Fuzzing
`scripts/fuzz.sh` fuzzes every decoder, a million runs each, with the stable compiler (`fuzz/README.md`).

## What a message costs
`cargo bench -p wattline-routes --bench decode` prints ns and allocations per message of each family;
`loadtest/reports` has a table. A declaration costs no more than a decoder of its own.

"#;

const DOCUMENTS: &str = "\
The payloads of `crates/formats/test_data` name their source each. `quoted:` are word for word what a
document, a thread or a recording shows (white space between the parts of a JSON text aside; what was masked is said);
`source:` follow the form that the source documents, with values of their own. Names of fields and topics were compared
in November 2026 with the repositories of the firmware, or of a client that is tested against it: lumapu/ahoy,
UtilitechAS/amsreader-firmware, chirpstack/chirpstack-docs, kbialek/deye-inverter-mqtt, mrWheel/DSMRloggerAPI,
dsmrreader/dsmr-reader, openenergymonitor/emonhub, pyenphase/pyenphase, vk2him/Enphase-Envoy-mqtt-json, evcc-io/docs,
nielstron/pyfronius, goecharger/go-eCharger-API-v1 and -v2, homewizard/python-homewizard-energy, wlcrs/huawei-solar-lib,
boblemaire/IoTaWatt, volkszaehler/mbmd, tbnobody/OpenDTU-docs, snaptec/openWB, openWB/core, ndokter/dsmr_parser,
home-assistant-libs/aioshelly, datenschuft/SMA-EM, SBFspot/SBFspot, DerOetzi/solaredge2mqtt, tasmota/docs,
fmartinou/teleinfo2mqtt, Danielhiversen/pyTibber, victronenergy/dbus-flashmq, volkszaehler/vzlogger,
Tinkerforge/esp32-firmware, DonSidro/Watts-Live-HA.
";

/// How many payloads of the tests are quoted, and from how many families.
fn payloads() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../formats/test_data");
    let (mut quoted, mut composed, mut families) = (0, 0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let of = |key: &str| text.lines().filter(|line| line.starts_with(key)).count();
        quoted += of("quoted:");
        composed += of("source:");
        families += usize::from(of("quoted:") > 0);
    }
    format!("{quoted} payloads are quoted, from {families} families; {composed} are composed.")
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    let families = FAMILIES.len();
    let _ = writeln!(text, "## Families\n{families} decoders. An id is made of the topic as shown.\n");
    let _ =
        writeln!(text, "| decoder | devices | default topics → id | what is read | units | sign | time |");
    let _ = writeln!(text, "| --- | --- | --- | --- | --- | --- | --- |");
    for family in FAMILIES {
        let routes: Vec<_> =
            family.routes.iter().map(|(filter, id)| format!("`{filter}` → `{id}`")).collect();
        let routes = if routes.is_empty() { "none: write a route".to_owned() } else { routes.join("<br>") };
        let _ = writeln!(
            text,
            "| `{}` | {} | {routes} | {} | {} | {} | {} |",
            family.name, family.title, family.reads, family.units, family.sign, family.time
        );
    }
    let _ = writeln!(text, "\n## Documents\n{DOCUMENTS}\n{}\n", payloads());
    for family in FAMILIES {
        let _ = writeln!(text, "- `{}`: {}", family.name, family.documents.join(", "));
    }
    let _ = writeln!(text, "\n## Why a field is left out\n| reason | meaning |\n| --- | --- |");
    for reason in Omitted::ALL {
        let _ = writeln!(text, "| `{}` | {} |", reason.as_str(), reason.meaning());
    }
    let _ = writeln!(text, "\n## Why a message is ignored\n| reason | meaning |\n| --- | --- |");
    for reason in Ignored::ALL {
        let _ = writeln!(text, "| `{}` | {} |", reason.as_str(), reason.meaning());
    }
    let _ = writeln!(text, "\n## Why a message is a dead letter");
    let reasons: Vec<_> = Reason::ALL.iter().map(|reason| format!("`{}`", reason.as_str())).collect();
    let _ = writeln!(text, "{}.", reasons.join(", "));
    text
}

#[test]
fn the_page_of_formats_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats.md");
    let made = document();
    if std::env::var_os("WATTLINE_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == made, "docs/formats.md is not what the code says: run this test with WATTLINE_BLESS=1");
}
