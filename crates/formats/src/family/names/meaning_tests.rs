use super::*;

fn not(reason: Omitted) -> Quantity {
    Not(reason)
}

#[test]
fn names_mean_what_people_mean() {
    for (name, quantity, unit) in [
        ("power", Power, None),
        ("power_w", Power, Some(One)),
        ("activePower", Power, None),
        ("active_power_kw", Power, Some(Kilo)),
        ("Total Active Power", Power, None),
        ("current_power", Power, None),
        ("power_l2", PhasePower(1), None),
        ("activePowerL3", PhasePower(2), None),
        ("power_phase_a", PhasePower(0), None),
        ("power_import", PowerImport, None),
        ("power_returned", PowerExport, None),
        ("powerkw", Power, Some(Kilo)),
        ("power_kilowatt", Power, Some(Kilo)),
        ("power_mW", Power, Some(Milli)),
        ("power_MW", Power, Some(Unit::Mega)),
        ("power_usage", Power, None),
        ("energy", Import, None),
        ("energy_kwh", Import, Some(Kilo)),
        ("energywh", Import, Some(One)),
        ("energy_MWh", Import, Some(Unit::Mega)),
        ("energy_import_wh", Import, Some(One)),
        ("energyImportkWh", Import, Some(Kilo)),
        ("total_energy", Import, None),
        ("Import Active Energy", Import, None),
        ("export_kWh", Export, Some(Kilo)),
        ("energy_returned", Export, None),
        ("energy_feed_in_kwh", Export, Some(Kilo)),
        ("energy_import_t1_kwh", ImportTariff(0), Some(Kilo)),
        ("voltage", Voltage, Some(One)),
        ("voltage_l3", PhaseVoltage(2), Some(One)),
        ("voltage_b", PhaseVoltage(1), Some(One)),
        ("voltage_at_phase_1_v", PhaseVoltage(0), Some(One)),
        ("current", Current, None),
        ("current_a", Current, Some(One)),
        ("current_b", PhaseCurrent(1), None),
        ("current_ma", Current, Some(Milli)),
        ("currentL1", PhaseCurrent(0), None),
        ("power_factor", PowerFactor, Some(One)),
        ("powerFactor", PowerFactor, Some(One)),
        ("cos_phi", PowerFactor, Some(One)),
        ("frequency", Frequency, Some(One)),
        ("Frequency of supply voltages", Frequency, Some(One)),
        ("V", Voltage, Some(One)),
        ("kWh", Import, Some(Kilo)),
    ] {
        let meaning = meaning(name).map(|meaning| (meaning.quantity, meaning.unit));
        assert_eq!(meaning, Some((quantity, unit)), "{name}");
    }
}

#[test]
fn what_is_not_taken_has_a_reason() {
    for (name, reason) in [
        ("energy_l1", Omitted::PartialRegister),
        ("energy_today", Omitted::DayCounter),
        ("energytoday", Omitted::DayCounter),
        ("dailyEnergy_kWh", Omitted::DayCounter),
        ("energy_monthly", Omitted::DayCounter),
        ("monthly_kwh", Omitted::DayCounter),
        ("energy_delta_kwh", Omitted::DayCounter),
        ("charged_energy_kwh", Omitted::DayCounter),
        ("trip_energy_kwh", Omitted::DayCounter),
        ("battery_remaining_kwh", Omitted::UnknownName),
        ("heat_energy_kwh", Omitted::UnknownName),
        ("gas_energy_kwh", Omitted::UnknownName),
        ("energy_last15min", Omitted::UnknownName),
        ("apparent_power", Omitted::ApparentPower),
        ("reactive_energy", Omitted::ReactivePower),
        ("DC_Current", Omitted::DcSide),
        ("dcVoltage", Omitted::DcSide),
        ("energy_mwh", Omitted::UnitUnknown),
        ("power_mw", Omitted::UnitUnknown),
        ("power_outage_count", Omitted::UnknownName),
        ("power_on_time", Omitted::UnknownName),
        ("total_power_cycles", Omitted::UnknownName),
        ("power_on_behavior", Omitted::UnknownName),
        ("power_source", Omitted::UnknownName),
        ("energy_unit", Omitted::UnknownName),
        ("energy_tariff", Omitted::UnknownName),
        ("max_power", Omitted::UnknownName),
        ("power_limit", Omitted::UnknownName),
        ("power_percent", Omitted::UnknownName),
        ("battery_voltage", Omitted::UnknownName),
        ("voltage_l1_l2", Omitted::UnknownName),
        ("power1", Omitted::UnknownName),
        ("powerwall", Omitted::UnknownName),
        ("net_energy_kwh", Omitted::UnknownName),
        ("energy_kw", Omitted::UnknownName),
    ] {
        assert_eq!(meaning(name).map(|meaning| meaning.quantity), Some(not(reason)), "{name}");
    }
    for name in ["", "temperature", "rssi", "state", "x", "factor", "uptime", "soc"] {
        assert_eq!(meaning(name), None, "{name}");
    }
}

#[test]
fn a_name_that_says_more_counts() {
    let rank = |name| meaning(name).unwrap().rank;
    for (more, less) in [
        ("total_power", "power"),
        ("active_power", "power_consumption"),
        ("energy_import", "total_energy"),
        ("total_energy_import", "energy_import"),
        ("total_energy", "energy"),
    ] {
        assert!(rank(more) > rank(less), "{more} {less}");
    }
}

#[test]
fn what_says_nothing_of_the_measure_is_a_channel() {
    for (name, channel, quantity) in [
        ("power", "", Power),
        ("fridge_power", "fridge", Power),
        ("power_fridge", "fridge", Power),
        ("living_room_power", "living_room", Power),
        ("fridge_frequency", "fridge", Frequency),
        ("grid_power", "grid", Power),
        ("smartmeter_active_power_plus", "smartmeter", PowerImport),
        ("smartmeter_active_power_minus", "smartmeter", PowerExport),
        ("active_energy_minus_kwh", "", Export),
        ("shelly_plus_power", "shelly_plus", Power),
        ("total_power", "", Power),
        ("active_power", "", Power),
        ("active_energy_import_kwh", "", Import),
        ("total_energy_kwh", "", Import),
        ("daily_energy_kwh", "", not(Omitted::DayCounter)),
        ("fridge_daily_energy", "fridge", not(Omitted::DayCounter)),
        ("max_power", "", not(Omitted::UnknownName)),
        ("battery_voltage", "", not(Omitted::UnknownName)),
    ] {
        let (found, meaning) = with_channel(name);
        assert_eq!(
            (found.as_str(), meaning.map(|meaning| meaning.quantity)),
            (channel, Some(quantity)),
            "{name}"
        );
    }
    assert_eq!(with_channel("wifi_signal").1, None);
}
