//! Devices that publish all values of an instant in one message.

use super::{Made, Speaker, decimal};
use crate::sample::Part;

impl Speaker<'_> {
    /// Power, import and export as most devices give them: W with a decimal, kWh with three.
    fn usual(&self) -> (String, String, String, Made) {
        let ((power, power_w), (import, import_mwh), (export, export_mwh)) =
            (self.power(), self.import(), self.export());
        (power, import, export, Made::power(power_w).and_import(import_mwh).and_export(export_mwh))
    }

    /// The sample's time in RFC 3339, to the ms.
    fn time(&self) -> String {
        self.sample.ts.to_string()
    }
}

pub(super) fn wattline_json(speaker: &mut Speaker<'_>) {
    let mut payload = Vec::with_capacity(256);
    speaker.sample.write_json(Part::Whole, &mut payload);
    let (power_w, sample) = (speaker.power().1, speaker.sample);
    let made = Made::power(power_w).and_import(sample.energy_import_mwh).and_export(sample.energy_export_mwh);
    speaker.say(format!("wattline/{}/reading", speaker.id), payload, Some(made));
}

/// A plug, and its state beside it.
pub(super) fn tasmota(speaker: &mut Speaker<'_>) {
    let ((watts, power_w), (import, import_mwh)) = (speaker.whole_power(), speaker.import());
    let (id, time, voltage, current) = (speaker.id, speaker.time(), speaker.voltage(), speaker.current());
    let payload = format!(
        "{{\"Time\":\"{time}\",\"ENERGY\":{{\"TotalStartTime\":\"2024-03-20T15:20:48\",\"Total\":{import},\
         \"Yesterday\":1.495,\"Today\":0.537,\"Period\":0,\"Power\":{watts},\"ApparentPower\":92,\
         \"ReactivePower\":73,\"Factor\":0.61,\"Voltage\":{voltage},\"Current\":{current}}}}}"
    );
    let state = format!(
        "{{\"Time\":\"{time}\",\"Uptime\":\"3T04:11:09\",\"Heap\":27,\"POWER\":\"ON\",\"Wifi\":{{\"RSSI\":76}}}}"
    );
    speaker.say(format!("tele/{id}/STATE"), state, None);
    speaker.say(format!("tele/{id}/SENSOR"), payload, Some(Made::power(power_w).and_import(import_mwh)));
}

pub(super) fn shelly(speaker: &mut Speaker<'_>) {
    let (power, power_w) = speaker.power();
    let mwh = speaker.sample.energy_import_mwh;
    let (id, voltage, current) = (speaker.id, speaker.voltage(), speaker.current());
    let ts = decimal(speaker.sample.ts.micros() / 10_000, 2);
    let total = decimal(mwh, 3);
    let payload = format!(
        "{{\"src\":\"{id}\",\"dst\":\"{id}/events\",\"method\":\"NotifyStatus\",\"params\":{{\"ts\":{ts},\
         \"switch:0\":{{\"id\":0,\"apower\":{power},\"voltage\":{voltage},\"current\":{current},\
         \"aenergy\":{{\"by_minute\":[70.801,141.6,0],\"minute_ts\":1795168740,\"total\":{total}}}}}}}}}"
    );
    let made = Made::power(power_w).and_import(mwh).on("/switch:0");
    speaker.say(format!("{id}/events/rpc"), payload, Some(made));
}

pub(super) fn zigbee2mqtt(speaker: &mut Speaker<'_>) {
    let ((watts, power_w), (import, import_mwh)) = (speaker.whole_power(), speaker.import());
    let (id, voltage, current, time) = (speaker.id, speaker.voltage(), speaker.current(), speaker.time());
    let payload = format!(
        "{{\"child_lock\":\"UNLOCK\",\"current\":{current},\"energy\":{import},\"indicator_mode\":\"off\",\
         \"last_seen\":\"{time}\",\"linkquality\":141,\"power\":{watts},\"power_outage_memory\":\"restore\",\
         \"state\":\"ON\",\"voltage\":{voltage}}}"
    );
    speaker.say(format!("zigbee2mqtt/{id}"), payload, Some(Made::power(power_w).and_import(import_mwh)));
}

/// A telegram with two tariffs; day and night have half of the register each.
pub(super) fn p1(speaker: &mut Speaker<'_>) {
    let kw = decimal(i64::from(speaker.sample.power_dw.max(0) / 10), 3);
    let back_kw = decimal(i64::from((-speaker.sample.power_dw).max(0) / 10), 3);
    let power_w = f64::from(speaker.sample.power_dw / 10);
    let halves = |mwh: i64| {
        let wh = mwh / 1000;
        (decimal(wh / 2, 3), decimal(wh - wh / 2, 3), wh * 1000)
    };
    let (import_1, import_2, import_mwh) = halves(speaker.sample.energy_import_mwh);
    let (export_1, export_2, export_mwh) = halves(speaker.sample.energy_export_mwh);
    let time = chrono::DateTime::from_timestamp(speaker.seconds() + 3600, 0).unwrap_or_default();
    let payload = format!(
        "/KFM5KAIFA-METER\r\n\r\n1-3:0.2.8(42)\r\n0-0:1.0.0({}W)\r\n1-0:1.8.1({import_1}*kWh)\r\n\
         1-0:1.8.2({import_2}*kWh)\r\n1-0:2.8.1({export_1}*kWh)\r\n1-0:2.8.2({export_2}*kWh)\r\n\
         0-0:96.14.0(0002)\r\n1-0:1.7.0({kw}*kW)\r\n1-0:2.7.0({back_kw}*kW)\r\n1-0:32.7.0(230.1*V)\r\n\
         1-0:31.7.0(001*A)\r\n!\r\n",
        time.format("%y%m%d%H%M%S")
    );
    let made = Made::power(power_w).and_import(import_mwh).and_export(export_mwh);
    speaker.say(format!("p1/{}/telegram", speaker.id), payload, Some(made));
}

pub(super) fn ams_reader(speaker: &mut Speaker<'_>) {
    let (watts, power_w) = speaker.whole_power();
    let (import, export) = (watts.max(0), (-watts).max(0));
    let (id, voltage, current, t) = (speaker.id, speaker.voltage(), speaker.current(), speaker.seconds());
    let payload = format!(
        "{{\"id\":\"a1b2c3d4\",\"name\":\"{id}\",\"up\":182573,\"t\":{t},\"vcc\":3.338,\"rssi\":-63,\
         \"temp\":23.31,\"data\":{{\"lv\":\"Kamstrup_V0001\",\"P\":{import},\"Q\":0,\"PO\":{export},\
         \"I1\":{current},\"U1\":{voltage}}}}}"
    );
    speaker.say(format!("amsreader/{id}"), payload, Some(Made::power(power_w)));
}

pub(super) fn homewizard(speaker: &mut Speaker<'_>) {
    let (power, import, export, made) = speaker.usual();
    let payload = format!(
        "{{\"wifi_ssid\":\"My Wi-Fi\",\"wifi_strength\":92,\"total_power_import_kwh\":{import},\
         \"total_power_import_t1_kwh\":{import},\"total_power_export_kwh\":{export},\"active_power_w\":{power},\
         \"active_voltage_v\":{},\"active_current_a\":{},\"active_frequency_hz\":49.966}}",
        speaker.voltage(),
        speaker.current()
    );
    speaker.say(format!("homewizard/{}", speaker.id), payload, Some(made));
}

pub(super) fn tibber(speaker: &mut Speaker<'_>) {
    let (_, import, export, made) = speaker.usual();
    let (watts, power_w) = speaker.whole_power();
    let payload = format!(
        "{{\"timestamp\":\"{}\",\"power\":{},\"powerProduction\":{},\"lastMeterConsumption\":{import},\
         \"accumulatedConsumption\":3.2,\"lastMeterProduction\":{export},\"voltagePhase1\":229.4,\"currentL1\":5.2}}",
        speaker.time(),
        watts.max(0),
        (-watts).max(0)
    );
    let made = Made { power_w: Some(power_w), ..made };
    speaker.say(format!("tibber/{}", speaker.id), payload, Some(made));
}

pub(super) fn watts_live(speaker: &mut Speaker<'_>) {
    let (watts, power_w) = speaker.whole_power();
    let [import_wh, export_wh] =
        [speaker.sample.energy_import_mwh, speaker.sample.energy_export_mwh].map(|mwh| mwh / 1000);
    let payload = format!(
        "{{\"positive_active_energy\":{import_wh},\"negative_active_energy\":{export_wh},\
         \"positive_active_power\":{},\"negative_active_power\":{},\"voltage_l1\":{},\"current_l1\":{}}}",
        watts.max(0),
        (-watts).max(0),
        speaker.voltage(),
        speaker.current()
    );
    let made = Made::power(power_w).and_import(import_wh * 1000).and_export(export_wh * 1000);
    speaker.say(format!("watts/{}/measurement", speaker.id), payload, Some(made));
}

/// A clamp and the mains voltage.
pub(super) fn emon(speaker: &mut Speaker<'_>) {
    let (watts, power_w) = speaker.whole_power();
    let wh = speaker.sample.energy_import_mwh / 1000;
    let payload =
        format!("{{\"MSG\":10,\"Vrms\":{},\"P1\":{watts},\"E1\":{wh},\"pulse\":3}}", speaker.voltage());
    let made = Made::power(power_w).and_import(wh * 1000).on("/ct1");
    speaker.say(format!("emon/{}", speaker.id), payload, Some(made));
}

pub(super) fn telegraf(speaker: &mut Speaker<'_>) {
    let (power, import, export, made) = speaker.usual();
    let payload = format!(
        "{{\"fields\":{{\"power_w\":{power},\"energy_import_kwh\":{import},\"energy_export_kwh\":{export},\
         \"voltage\":{}}},\"name\":\"modbus\",\"tags\":{{\"host\":\"raynor\"}},\"timestamp\":{}}}",
        speaker.voltage(),
        speaker.seconds()
    );
    speaker.say(format!("telegraf/{}", speaker.id), payload, Some(made));
}

pub(super) fn ahoydtu(speaker: &mut Speaker<'_>) {
    let ((power, power_w), (total, export_mwh)) = (speaker.generated(), speaker.export());
    let payload = format!(
        "{{\"U_AC\":{},\"I_AC\":1.58,\"P_AC\":{power},\"F_AC\":50.02,\"PF_AC\":1,\"Temp\":29.1,\"YieldDay\":1231,\
         \"YieldTotal\":{total},\"P_DC\":386.1,\"Efficiency\":95.286}}",
        speaker.voltage()
    );
    let made = Made::power(power_w).and_export(export_mwh);
    speaker.say(format!("inverter/{}/ch0", speaker.id), payload, Some(made));
}

pub(super) fn iotawatt(speaker: &mut Speaker<'_>) {
    let (power, power_w) = speaker.power();
    let mwh = speaker.sample.energy_import_mwh;
    let payload = format!("{{\"main\":{{\"Watts\":{power},\"Wh\":{}}}}}", decimal(mwh, 3));
    let made = Made::power(power_w).and_import(mwh).on("/main");
    speaker.say(format!("iotawatt/{}/query", speaker.id), payload, Some(made));
}

pub(super) fn warp(speaker: &mut Speaker<'_>) {
    let ((power, power_w), (import, import_mwh)) = (speaker.power(), speaker.import());
    let payload = format!("{{\"power\":{power},\"energy_rel\":12.4,\"energy_abs\":{import}}}");
    let made = Made::power(power_w).and_import(import_mwh);
    speaker.say(format!("warp/{}/meter/values", speaker.id), payload, Some(made));
}

pub(super) fn fronius(speaker: &mut Speaker<'_>) {
    let (power, power_w) = speaker.power();
    let (import_wh, export_wh) =
        (speaker.sample.energy_import_mwh / 1000, speaker.sample.energy_export_mwh / 1000);
    let payload = format!(
        "{{\"Body\":{{\"Data\":{{\"Current_AC_Phase_1\":3.955,\"Details\":{{\"Manufacturer\":\"Fronius\"}},\
         \"Enable\":1,\"EnergyReal_WAC_Sum_Consumed\":{import_wh},\"EnergyReal_WAC_Sum_Produced\":{export_wh},\
         \"Frequency_Phase_Average\":49.9,\"PowerReal_P_Sum\":{power},\"TimeStamp\":{}}}}}}}",
        speaker.seconds()
    );
    let made = Made::power(power_w).and_import(import_wh * 1000).and_export(export_wh * 1000);
    speaker.say(format!("fronius/{}", speaker.id), payload, Some(made));
}

pub(super) fn huawei(speaker: &mut Speaker<'_>) {
    let ((power, power_w), (total, export_mwh)) = (speaker.generated(), speaker.export());
    let payload = format!(
        "{{\"timestamp\":\"{}\",\"input_power\":3120,\"active_power\":{power},\"reactive_power\":-3,\
         \"power_factor\":1.0,\"grid_frequency\":50.01,\"accumulated_yield_energy\":{total},\
         \"daily_yield_energy\":12.31}}",
        speaker.time()
    );
    speaker.say(format!("huawei/{}", speaker.id), payload, Some(Made::power(power_w).and_export(export_mwh)));
}

pub(super) fn sma(speaker: &mut Speaker<'_>) {
    let ((power, power_w), (total, export_mwh)) = (speaker.generated(), speaker.export());
    let payload = format!(
        "{{\"Timestamp\": \"08/11/2021 18:23:54\",\"InvSerial\": 2100346262,\"InvStatus\": \"Ok\",\
         \"EToday\": 15.175,\"ETotal\": {total},\"PACTot\": {power},\"UDC1\": 311.0}}"
    );
    speaker.say(
        format!("sbfspot/{}", speaker.id),
        payload,
        Some(Made::power(power_w).and_export(export_mwh)),
    );
}

pub(super) fn teleinfo(speaker: &mut Speaker<'_>) {
    let wh = speaker.sample.energy_import_mwh / 1000;
    let payload = format!(
        "{{\"ADCO\":\"{}\",\"OPTARIF\":\"BASE\",\"ISOUSC\":\"30\",\"BASE\":\"{wh:09}\",\"PTEC\":\"TH..\",\
         \"IINST\":\"003\",\"PAPP\":\"00690\",\"MOTDETAT\":\"000000\"}}",
        speaker.id
    );
    speaker.say(format!("teleinfo/{}", speaker.id), payload, Some(Made::import(wh * 1000)));
}

pub(super) fn obis_json(speaker: &mut Speaker<'_>) {
    let (power, import, export, made) = speaker.usual();
    let payload = format!(
        "{{\"timestamp\":\"{}\",\"1-0:16.7.0.255\":{power},\"1-0:1.8.0.255\":{{\"value\":{import},\"unit\":\"kWh\"}},\
         \"1-0:2.8.0.255\":{{\"value\":{export},\"unit\":\"kWh\"}},\"1-0:32.7.0.255\":\"{}\"}}",
        speaker.time(),
        speaker.voltage()
    );
    speaker.say(format!("han/{}", speaker.id), payload, Some(made));
}

pub(super) fn chirpstack(speaker: &mut Speaker<'_>) {
    let (watts, power_w) = speaker.whole_power();
    let wh = speaker.sample.energy_import_mwh / 1000;
    let (id, voltage, time) = (speaker.id, speaker.voltage(), speaker.time());
    let payload = format!(
        "{{\"deduplicationId\":\"3ac7e3c4-4401-4b8d-9386-a5c902f9202d\",\"time\":\"{time}\",\"deviceInfo\":\
         {{\"deviceName\":\"plug\",\"devEui\":\"{id}\"}},\"fPort\":85,\"data\":\"AAA=\",\"object\":\
         {{\"voltage\":{voltage},\"active_power\":{watts},\"power_factor\":81,\"energy_wh\":{wh}}}}}"
    );
    let topic = format!("application/b52efb2e/device/{id}/event/up");
    speaker.say(topic, payload, Some(Made::power(power_w).and_import(wh * 1000)));
}

pub(super) fn the_things_stack(speaker: &mut Speaker<'_>) {
    let (power, import, _, made) = speaker.usual();
    let (id, time) = (speaker.id, speaker.time());
    let payload = format!(
        "{{\"end_device_ids\":{{\"device_id\":\"{id}\"}},\"received_at\":\"{time}\",\"uplink_message\":\
         {{\"f_port\":1,\"decoded_payload\":{{\"activeEnergyImport_kWh\":{import},\"activePowerTotal\":{power},\
         \"voltageL1\":230.1}},\"rx_metadata\":[{{\"rssi\":-35}}]}}}}"
    );
    let made = Made { energy_export_mwh: None, ..made };
    speaker.say(format!("v3/app1@tenant1/devices/{id}/up"), payload, Some(made));
}

pub(super) fn generic_json(speaker: &mut Speaker<'_>) {
    let (power, import, _, made) = speaker.usual();
    let payload = format!(
        "{{\"timestamp\":{},\"power\":\"{power}\",\"energy_kwh\":\"{}\",\"voltage\":{}}}",
        speaker.seconds(),
        import.replace('.', ","),
        speaker.voltage()
    );
    let made = Made { energy_export_mwh: None, ..made };
    speaker.say(format!("meters/{}", speaker.id), payload, Some(made));
}
