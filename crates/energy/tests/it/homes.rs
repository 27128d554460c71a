//! Rules E19 to E19c and invariant I8: what a home's meters say together.

use std::collections::BTreeMap;

use wattline_energy::calendar::Resolution;
use wattline_energy::home::{Balance, HomeError, Member, Members, Role, balances};
use wattline_energy::meter::Cell;
use wattline_energy::{Energy, Flag, Quality};

use crate::series::Dice;

const QUARTER_US: i64 = 900_000_000;

fn member(meter_id: &str, role: Role, parent: Option<&str>) -> Member {
    let parent = parent.map(str::to_owned);
    Member { meter_id: meter_id.to_owned(), role, parent, from_us: None, to_us: None }
}

fn energy(mwh: impl Into<Option<i64>>) -> Energy {
    let mwh = mwh.into();
    let known_ms = if mwh.is_some() { 900_000 } else { 0 };
    Energy { mwh, coverage_ms: [known_ms, 0, 0, 0], quality: Quality::NONE }
}

fn cell(import: impl Into<Option<i64>>, export: impl Into<Option<i64>>) -> Vec<Cell> {
    vec![Cell { import: energy(import), export: energy(export) }]
}

fn balance(members: &[Member], cells: &[(&str, Vec<Cell>)]) -> Balance {
    let members = Members::new(members.to_vec()).unwrap();
    let cells: BTreeMap<String, Vec<Cell>> =
        cells.iter().map(|(meter_id, cells)| ((*meter_id).to_owned(), cells.clone())).collect();
    balances(&members, &cells, 0, Resolution::QuarterHour).remove(0)
}

#[test]
fn e19_what_is_used_is_what_came_in_and_was_made_less_what_went_out() {
    let members = [
        member("grid", Role::Grid, None),
        member("roof", Role::Production, None),
        member("battery", Role::Storage, None),
    ];
    let sunny = [("grid", cell(100, 700)), ("roof", cell(9, 2_000)), ("battery", cell(500, 50))];
    let home = balance(&members, &sunny);
    assert_eq!((home.consumption_mwh, home.self_consumed_mwh), (Some(950), Some(850)));
    assert_eq!((home.self_consumption_rate(), home.autarky()), (Some(0.425), Some(850.0 / 950.0)));
    let night = [("grid", cell(400, 0)), ("roof", cell(5, 0)), ("battery", cell(450, 0))];
    let home = balance(&members, &night);
    assert_eq!((home.consumption_mwh, home.self_consumed_mwh, home.imbalance), (Some(-50), Some(0), true));
    assert_eq!(home.self_consumption_rate(), None);
}

#[test]
fn e19_coverage_is_that_of_the_grid_and_production_meter_that_knows_least() {
    let members = [member("grid", Role::Grid, None), member("roof", Role::Production, None)];
    let mut half = cell(None, 10);
    half[0].export.coverage_ms = [450_000, 0, 0, 0];
    let home = balance(&members, &[("grid", cell(100, None)), ("roof", half)]);
    assert_eq!(home.known_ms, 450_000, "a direction that a meter does not have says nothing");
    let mut swapped = cell(100, None);
    swapped[0].export.quality = Quality::NONE.with(Flag::Swap);
    let home = balance(&members, &[("grid", swapped), ("roof", cell(None, 10))]);
    assert_eq!((home.known_ms, home.quality), (0, Quality::NONE.with(Flag::Swap)));
}

#[test]
fn e19b_a_home_with_a_meter_that_says_nothing_has_no_balance() {
    let members = [member("grid", Role::Grid, None), member("roof", Role::Production, None)];
    let home = balance(&members, &[("grid", cell(100, None)), ("roof", cell(None, None))]);
    assert_eq!((home.import_mwh, home.consumption_mwh, home.rest_mwh), (Some(100), None, None));
    let home = balance(&members[1..], &[("roof", cell(None, 10))]);
    assert_eq!((home.production_mwh, home.consumption_mwh), (Some(10), None), "no grid meter");
}

#[test]
fn e19b_rests_may_be_below_zero_and_say_so() {
    let members = [
        member("grid", Role::Grid, None),
        member("kitchen", Role::Load, None),
        member("oven", Role::Load, Some("kitchen")),
    ];
    let home =
        balance(&members, &[("grid", cell(100, 0)), ("kitchen", cell(80, None)), ("oven", cell(90, None))]);
    assert_eq!((home.rest_mwh, home.rests_mwh["kitchen"], home.imbalance), (Some(20), -10, true));
    let home = balance(&members, &[("grid", cell(100, 0)), ("oven", cell(90, None))]);
    assert!(home.rests_mwh.is_empty(), "of a parent that is not known nothing is left to say");
}

#[test]
fn e19c_places_are_free_of_contradictions() {
    let at = |mut member: Member, from: i64, to: i64| {
        (member.from_us, member.to_us) = (Some(from * QUARTER_US), Some(to * QUARTER_US));
        member
    };
    let load = |meter_id, parent| member(meter_id, Role::Load, parent);
    let error = |members: Vec<Member>| Members::new(members).unwrap_err();
    let off = Member { from_us: Some(1), ..load("a", None) };
    assert_eq!(error(vec![off]), HomeError::OffGrid("a".to_owned()));
    assert_eq!(error(vec![at(load("a", None), 4, 4)]), HomeError::Empty("a".to_owned()));
    let twice = vec![at(load("a", None), 0, 4), at(load("a", None), 3, 9)];
    assert_eq!(error(twice), HomeError::Overlap("a".to_owned()));
    let short = vec![at(load("a", None), 0, 4), at(load("b", Some("a")), 2, 5)];
    assert!(matches!(error(short), HomeError::Parent { .. }));
    let other_role = vec![member("a", Role::Grid, None), load("b", Some("a"))];
    assert!(matches!(error(other_role), HomeError::Parent { .. }));
    let circle = vec![load("a", Some("b")), load("b", Some("a"))];
    assert_eq!(error(circle), HomeError::Cycle("a".to_owned()));
    let after = vec![at(load("a", None), 0, 4), at(load("a", None), 4, 9), at(load("b", Some("a")), 1, 8)];
    assert!(Members::new(after).is_ok(), "a parent with two places after each other covers its part");
}

/// I8: what splits changes nothing of the whole, and parts and rest are the whole to the mWh.
#[test]
fn i8_parts_change_no_whole() {
    let mut dice = Dice::new(8);
    for _ in 0..2_000 {
        let mut mwh = |top: i64| (!dice.once_in(6)).then(|| dice.within(-5, top));
        let all: Vec<(&str, Vec<Cell>)> =
            ["grid", "roof", "string", "battery", "car", "kitchen", "oven", "fridge"]
                .into_iter()
                .map(|meter_id| (meter_id, cell(mwh(900), mwh(900))))
                .collect();
        let tops = [
            member("grid", Role::Grid, None),
            member("roof", Role::Production, None),
            member("battery", Role::Storage, None),
        ];
        let mut whole = tops.to_vec();
        whole.extend([
            member("string", Role::Production, Some("roof")),
            member("car", Role::Load, None),
            member("kitchen", Role::Load, None),
            member("oven", Role::Load, Some("kitchen")),
            member("fridge", Role::Load, Some("kitchen")),
        ]);
        let (bare, home) = (balance(&tops, &all), balance(&whole, &all));
        let known = |balance: &Balance| {
            (
                (balance.import_mwh, balance.export_mwh, balance.production_mwh, balance.charge_mwh),
                (balance.discharge_mwh, balance.consumption_mwh, balance.self_consumed_mwh, balance.known_ms),
                balance.quality,
            )
        };
        assert_eq!(known(&bare), known(&home));
        let import = |meter_id: &str| all.iter().find(|(id, _)| *id == meter_id).unwrap().1[0].import.mwh;
        let sum = |meters: &[&str]| meters.iter().filter_map(|meter_id| import(meter_id)).sum::<i64>();
        assert_eq!(home.rest_mwh.map(|rest| rest + sum(&["car", "kitchen"])), home.consumption_mwh);
        let kitchen = home.rests_mwh.get("kitchen").map(|rest| rest + sum(&["oven", "fridge"]));
        assert_eq!(kitchen, import("kitchen"));
    }
}

/// I8: a meter that changes homes: its homes' parts sum to its own, and only quarter-hours inside the change differ.
#[test]
fn i8_a_meter_that_moves_is_counted_once() {
    let mut dice = Dice::new(88);
    for _ in 0..200 {
        let energies: Vec<Cell> =
            (0..12).map(|_| Cell { import: energy(dice.within(0, 900)), export: energy(None) }).collect();
        let moved_us = dice.within(0, 12) * QUARTER_US;
        let first = Member { to_us: Some(moved_us), ..member("grid", Role::Grid, None) };
        let second = Member { from_us: Some(moved_us), ..member("grid", Role::Grid, None) };
        let cells = BTreeMap::from([("grid".to_owned(), energies.clone())]);
        let mwh = |member: Member| -> i64 {
            let members = Members::new(vec![member]).unwrap();
            let all = balances(&members, &cells, 0, Resolution::QuarterHour);
            all.iter().filter_map(|balance| balance.consumption_mwh).sum()
        };
        let own: i64 = energies.iter().filter_map(|cell| cell.import.mwh).sum();
        assert_eq!(mwh(first) + mwh(second), own);
    }
}
