//! Halves that only count together, and what becomes of drafts without a measure.

use super::*;

fn draft(values: &[(Quantity, &str)]) -> (Draft, Vec<Omission>) {
    let (mut draft, mut omitted) = (Draft::default(), Vec::new());
    for (quantity, text) in values {
        draft.set(*quantity, text, Unit::One, "field", &mut omitted);
    }
    (draft, omitted)
}

fn outcome(values: &[(Quantity, &str)]) -> Outcome {
    let (draft, omitted) = draft(values);
    Drafts::one(draft, omitted, Ignored::OtherQuantity)
}

fn measures(values: &[(Quantity, &str)]) -> Measures {
    outcome(values).unwrap().drafts.remove(0).measures
}

fn ignored(values: &[(Quantity, &str)]) -> Ignored {
    match outcome(values) {
        Err(Stop::Ignore(why, _)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn power_is_import_less_export() {
    use Quantity::{Power, PowerExport, PowerImport};
    assert_eq!(measures(&[(PowerImport, "0"), (PowerExport, "812")]).power_w, Some(-812.0));
    assert_eq!(measures(&[(PowerImport, "300"), (PowerExport, "0")]).power_w, Some(300.0));
    assert_eq!(measures(&[(PowerExport, "5")]).power_w, Some(-5.0));
    assert_eq!(
        measures(&[(Power, "7"), (PowerImport, "300")]).power_w,
        Some(7.0),
        "the device's own sum counts"
    );
    assert_eq!(ignored(&[(PowerImport, "0")]), Ignored::OneDirection);
}

#[test]
fn three_phases_make_the_power_that_nobody_said() {
    use Quantity::{PhaseExport, PhaseImport, PhasePower};
    let made = measures(&[(PhasePower(0), "1"), (PhasePower(1), "2"), (PhasePower(2), "-4")]);
    assert_eq!(made.power_w, Some(-1.0));
    assert_eq!(measures(&[(PhasePower(0), "1"), (PhasePower(1), "2")]).power_w, None, "two are not all");
    let made = measures(&[(PhaseImport(1), "0"), (PhaseExport(1), "9")]);
    assert_eq!(made.phases[1].power_w, Some(-9.0));
}

#[test]
fn tariffs_are_summed_only_without_a_hole() {
    use Quantity::{Import, ImportTariff};
    let both = [(ImportTariff(0), "1.5"), (ImportTariff(1), "2")];
    assert_eq!(measures(&both).energy_import_mwh, Some(3500));
    let named_twice = [(ImportTariff(0), "9"), (ImportTariff(1), "2"), (ImportTariff(0), "1")];
    assert_eq!(measures(&named_twice).energy_import_mwh, Some(3000), "the last counts");
    assert_eq!(measures(&[(ImportTariff(1), "2"), (Import, "7")]).energy_import_mwh, Some(7000));
    assert_eq!(ignored(&[(ImportTariff(0), "1")]), Ignored::PartialRegister);
    assert_eq!(ignored(&[(ImportTariff(0), "1"), (ImportTariff(2), "1")]), Ignored::PartialRegister);
}

#[test]
fn a_draft_without_a_measure_says_why_it_is_none() {
    use Quantity::{Not, Power, Voltage};
    assert_eq!(ignored(&[]), Ignored::OtherQuantity);
    assert_eq!(ignored(&[(Power, "unavailable")]), Ignored::NoValue);
    assert_eq!(ignored(&[(Not(Omitted::DayCounter), "1")]), Ignored::NotTheMeter);
    assert_eq!(ignored(&[(Voltage, "high")]), Ignored::NotTheMeter);
    assert_eq!(ignored(&[(Not(Omitted::UnitUnknown), "1")]), Ignored::UnitUnknown);
}

#[test]
fn what_is_no_power_and_no_register_is_refused_where_it_is_all() {
    let reason = |quantity, text| {
        let (mut draft, mut omitted) = (Draft::default(), Vec::new());
        draft.set(quantity, text, Unit::One, "field", &mut omitted);
        match Drafts::one(draft, omitted, Ignored::OtherQuantity) {
            Err(Stop::Reject(refusal)) => refusal.reason,
            other => panic!("{text}: {other:?}"),
        }
    };
    assert_eq!(reason(Quantity::Power, "12 VA"), Reason::Malformed);
    assert_eq!(reason(Quantity::Power, "12 kWh"), Reason::Malformed);
    assert_eq!(reason(Quantity::Import, "much"), Reason::Malformed);
    assert_eq!(reason(Quantity::Import, "1e300"), Reason::RegisterImplausible);
}

#[test]
fn one_odd_field_leaves_the_others() {
    let (mut draft, mut omitted) = (Draft::default(), Vec::new());
    draft.set(Quantity::Power, "5", Unit::One, "power", &mut omitted);
    draft.set(Quantity::Import, "1e300", Unit::One, "energy", &mut omitted);
    draft.set(Quantity::Export, "much", Unit::One, "export", &mut omitted);
    let drafts = Drafts::one(draft, omitted, Ignored::OtherQuantity).unwrap();
    assert_eq!(drafts.drafts[0].measures, Measures { power_w: Some(5.0), ..Measures::default() });
    let reasons: Vec<_> = drafts.omitted.iter().map(|omission| omission.reason).collect();
    assert_eq!(reasons, [Omitted::Unreadable; 2]);
}

#[test]
fn power_of_import_alone_may_have_a_sign_and_0_says_nothing() {
    use Quantity::{PhaseImport, PowerImport};
    assert_eq!(measures(&[(PowerImport, "-580.75")]).power_w, Some(-580.75));
    assert_eq!(measures(&[(PhaseImport(0), "-210.92")]).phases[0].power_w, Some(-210.92));
    assert_eq!(ignored(&[(PowerImport, "0")]), Ignored::OneDirection);
}

#[test]
fn a_total_of_0_beside_tariffs_is_none() {
    use Quantity::{Import, ImportTariff};
    let made = measures(&[(Import, "0"), (ImportTariff(0), "3"), (ImportTariff(1), "4")]);
    assert_eq!(made.energy_import_mwh, Some(7000));
    assert_eq!(ignored(&[(Import, "0"), (ImportTariff(1), "4")]), Ignored::PartialRegister);
    let new = measures(&[(Import, "0"), (ImportTariff(0), "0"), (ImportTariff(1), "0")]);
    assert_eq!(new.energy_import_mwh, Some(0), "a new meter");
}

#[test]
fn a_power_factor_from_2_on_is_per_cent_and_a_generator_takes_nothing() {
    let made = measures(&[(Quantity::PowerFactor, "98"), (Quantity::PowerGenerated, "0")]);
    assert_eq!(made.power_factor, Some(0.98));
    // A little above 1 it is inexact, and no hundredth of it.
    assert_eq!(measures(&[(Quantity::PowerFactor, "1.01")]).power_factor, Some(1.01));
    assert!(made.power_w.is_some_and(|power| power == 0.0 && power.is_sign_positive()), "no −0");
}

#[test]
fn drafts_beyond_the_most_are_counted_and_not_kept() {
    let mut drafts = Drafts::default();
    assert!(!drafts.is_full());
    drafts.drafts.resize(READINGS_PER_MESSAGE_MAX, Draft::default());
    assert!(drafts.is_full());
    drafts.beyond = 3;
    let all = drafts.or_ignore(Ignored::OtherQuantity).unwrap();
    assert_eq!(all.count(), READINGS_PER_MESSAGE_MAX + 3, "whoever refuses them says how many");
}
