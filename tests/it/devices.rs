//! Devices that people own, pointed at the broker with nothing configured: their readings are in the table.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use wattline_loadtest::message::Message;
use wattline_loadtest::pace::Pace;
use wattline_loadtest::publish::{Broker, Publisher};
use wattline_reading::Timestamp;

use crate::fixture::{assert_ok, system};

/// Topic and payload of one device; the meter, its power in W and its import register in Wh, merged from all parts.
type Device = (Vec<(String, String)>, String, Option<f64>, Option<f64>);

fn devices(unique: &str) -> Vec<Device> {
    let tasmota = r#"{"Time":"2026-11-20T10:00:00","ENERGY":{"Total":123.456,"Power":432,"Voltage":230,"Current":1.9}}"#;
    let shelly = r#"{"id":0,"apower":55.5,"voltage":230.1,"current":0.25,"aenergy":{"total":1234.567}}"#;
    let zigbee = r#"{"current":0.3,"energy":12.34,"linkquality":120,"power":60,"state":"ON","voltage":230}"#;
    let of = |topic: String, payload: &str| (topic, payload.to_owned());
    vec![
        (
            vec![of(format!("tele/tasmota-{unique}/SENSOR"), tasmota)],
            format!("tasmota/tasmota-{unique}"),
            Some(432.0),
            Some(123_456.0),
        ),
        (
            vec![of(format!("shelly-{unique}/status/switch:0"), shelly)],
            format!("shelly/shelly-{unique}/switch:0"),
            Some(55.5),
            Some(1_234.567),
        ),
        (
            vec![of(format!("zigbee2mqtt/plug-{unique}"), zigbee)],
            format!("zigbee2mqtt/plug-{unique}"),
            Some(60.0),
            Some(12_340.0),
        ),
        (
            // A topic per value, in watt-minutes; two instants, as no device time says that they are one.
            vec![
                of(format!("shellies/em-{unique}/relay/0/energy"), "6000"),
                of(format!("shellies/em-{unique}/relay/0/power"), "17.5"),
            ],
            format!("shelly-gen1/em-{unique}/relay:0"),
            Some(17.5),
            Some(100.0),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_without_any_configuration_are_understood() {
    let exclusive = system().await;
    let unique = format!("{:x}", Timestamp::now().micros());
    let devices = devices(&unique);
    let parts = devices.iter().flat_map(|(parts, ..)| parts);
    let messages: Vec<Message> = parts
        .map(|(topic, payload)| Message {
            topic: topic.as_str().into(),
            payload: payload.clone().into_bytes(),
            first_of: None,
        })
        .collect();
    // No name and no password: a device on the bench.
    let broker = assert_ok(Broker::parse(&exclusive.system.stack.mqtt_url(), None, None));
    let mut publisher = Publisher::new(broker, format!("devices-{unique}"), Arc::default());
    let stop = CancellationToken::new();
    assert_ok(publisher.publish(&mut messages.into_iter(), Pace::unlimited(), &stop).await);

    let client = assert_ok(assert_ok(exclusive.system.target()).connect().await);
    let sql = "SELECT max(power_w), max(energy_import_wh) FROM reading JOIN meter USING (meter_key) WHERE meter_id = $1";
    for (_, meter, power_w, import_wh) in devices {
        let stored = exclusive.system.wait_for(&meter, async || {
            let row = client.query_one(sql, &[&meter]).await?;
            Ok((row.get(0), row.get(1)) == (power_w, import_wh))
        });
        assert_ok(stored.await);
    }
}
