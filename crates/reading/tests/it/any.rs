//! Any reading, and any that is plausible.

use proptest::option;
use proptest::prelude::*;
use wattline_reading::{Measures, MeterInfo, Phase, Reading, Timestamp, TsSource};

/// An instant in the range of a Timestamp.
pub(crate) fn timestamp() -> impl Strategy<Value = Timestamp> {
    (-9_214_560_000_000_000_i64..=253_402_300_799_999_999).prop_map(Timestamp::from_micros)
}

/// Every bit pattern of a double but NaN, which is equal to nothing.
pub(crate) fn number() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("NaN", |value| !value.is_nan())
}

fn phase() -> impl Strategy<Value = Phase> {
    (option::of(number()), option::of(number()), option::of(number()))
        .prop_map(|(power_w, voltage_v, current_a)| Phase { power_w, voltage_v, current_a })
}

pub(crate) fn measures() -> impl Strategy<Value = Measures> {
    let value = || option::of(number());
    (
        (value(), value(), value(), value(), value(), value()),
        (option::of(any::<i64>()), option::of(any::<i64>())),
        prop::collection::vec(phase(), 0..=4),
    )
        .prop_map(|(values, registers, phases)| Measures {
            power_w: values.0,
            energy_import_mwh: registers.0,
            energy_export_mwh: registers.1,
            voltage_v: values.1,
            current_a: values.2,
            power_factor: values.3,
            frequency_hz: values.4,
            soc_pct: values.5,
            phases,
        })
}

/// Whatever the types allow: names of any script, numbers beyond all bounds.
pub(crate) fn reading() -> impl Strategy<Value = Reading> {
    let info = ("\\PC{0,40}", "[a-z-]{0,12}", option::of(number()));
    (
        "\\PC{0,150}",
        (timestamp(), timestamp(), option::of(timestamp())),
        (any::<bool>(), any::<bool>()),
        measures(),
        option::of(info),
    )
        .prop_map(
            |(meter_id, (ts, received_at, register_epoch), (arrival, redelivered), measures, info)| Reading {
                meter_id,
                ts,
                received_at,
                ts_source: if arrival { TsSource::Arrival } else { TsSource::Device },
                measures,
                register_epoch,
                redelivered,
                meter_info: info
                    .map(|(route, family, max_power_w)| Box::new(MeterInfo { route, family, max_power_w })),
            },
        )
}
