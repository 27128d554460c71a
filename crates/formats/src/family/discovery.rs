//! Home Assistant's discovery and birth messages, which many devices and bridges publish beside their readings.

use super::prelude::*;

pub(super) const FAMILY: Family = Family {
    name: "discovery",
    title: "Discovery messages",
    routes: &[
        ("homeassistant/+", "discovery/{2}"),
        ("homeassistant/+/+/config", "discovery/{3}"),
        ("homeassistant/+/+/+/config", "discovery/{3}"),
        ("tasmota/discovery/#", "discovery/{3}"),
    ],
    reads: "nothing: they are recognised and ignored (`status`)",
    units: "none",
    sign: "none",
    time: "none",
    documents: &["https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery"],
    is_status,
    decode: Decode::Drafts(decode),
    ..NO_FAMILY
};

fn is_status(_: Topic<'_>) -> bool {
    true
}

fn decode(_: &Message<'_>) -> Outcome {
    Err(Ignored::Status.into())
}
