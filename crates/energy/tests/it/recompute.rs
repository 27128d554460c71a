//! I7 from the carried state: a part computed again gives the rows of the whole, where to start and where to stop.

use wattline_energy::QUARTER_HOUR_US;
use wattline_energy::meter::state::State;
use wattline_energy::meter::{Meter, Reading};

use crate::series::{Dice, Month, S, month};

const START_US: i64 = (946_684_800 + 900 * 49) * S;
const LENGTH_S: i64 = 18_000;

fn edges() -> Vec<i64> {
    (0..=24).map(|at| START_US + at * QUARTER_HOUR_US).collect()
}

fn whole(month: &Month) -> Meter {
    Meter::new(&month.readings, &month.events, &month.settings)
}

fn state(month: &Month, edge_us: i64) -> State {
    State::at(edge_us, &month.readings, &month.events, &month.settings)
}

/// One row more, one less, or another value.
fn changed(month: &Month, dice: &mut Dice) -> (Month, i64) {
    let mut other = month.clone();
    let place = usize::try_from(dice.within(0, i64::try_from(month.readings.len()).unwrap() - 1)).unwrap();
    let at_us = other.readings[place].ts_us;
    match dice.next() % 3 {
        0 => drop(other.readings.remove(place)),
        1 => {
            let row = &mut other.readings[place];
            let value = dice.of(&[0, 5_000, 399_999_000]);
            row.import_mwh = row.import_mwh.map(|_| value);
            row.power_mw = row.power_mw.map(|_| value);
        }
        _ => {
            let between = other.readings.get(place + 1).is_some_and(|next| next.ts_us > at_us + S);
            if between {
                let row = Reading { ts_us: at_us + S, ..other.readings[place] };
                other.readings.insert(place + 1, row);
            }
        }
    }
    (other, at_us)
}

#[test]
fn i7_from_the_carried_state_the_rest_is_that_of_the_whole() {
    let (mut read, mut all) = (0, 0);
    for seed in 0..1_000 {
        let month = month(seed, LENGTH_S);
        let (edges, settings) = (edges(), &month.settings);
        let cells = whole(&month).cells(&edges);
        let mut dice = Dice::new(seed);
        for _ in 0..6 {
            let place = usize::try_from(dice.within(0, 23)).unwrap();
            let state = state(&month, edges[place]);
            let from_us = state.rows_from_us(settings);
            let rows: Vec<Reading> =
                month.readings.iter().filter(|row| row.ts_us >= from_us).copied().collect();
            let earlier = month.readings.iter().filter(|row| row.ts_us < edges[place]).count();
            read += rows.len() - (month.readings.len() - earlier);
            all += earlier;
            let part = Meter::resume(&state, &rows, &month.events, settings);
            assert_eq!(part.cells(&edges[place..]), cells[place..], "seed {seed} edge {place}");
        }
    }
    // What lies before the edge is read in part only.
    assert!(read * 3 < all, "{read} of {all} rows before the edge are read");
}

#[test]
fn i7_a_row_changes_nothing_before_since_and_nothing_behind_an_equal_state() {
    let (mut stopped, mut tried) = (0, 0);
    for seed in 0..1_000 {
        let month = month(seed, LENGTH_S);
        let edges = edges();
        let cells = whole(&month).cells(&edges);
        let mut dice = Dice::new(seed);
        for _ in 0..4 {
            let (other, at_us) = changed(&month, &mut dice);
            let cells_now = whole(&other).cells(&edges);
            // Start: what lies before the state's instant stays.
            let own = edges.iter().rposition(|edge_us| *edge_us <= at_us).unwrap();
            let since_us = state(&month, edges[own]).since_us;
            for (place, (then, now)) in cells.iter().zip(&cells_now).enumerate() {
                assert!(
                    then == now || edges[place + 1] > since_us,
                    "seed {seed} {place} changed before since"
                );
            }
            // Stop: at the first edge with an equal state, and with the row behind it.
            tried += 1;
            let changed_us = at_us + S + month.settings.hold_us;
            let stop = (own + 1..edges.len() - 1).find(|place| {
                let then = state(&month, edges[*place]);
                then == state(&other, edges[*place]) && then.since_us > changed_us
            });
            let Some(stop) = stop else { continue };
            stopped += 1;
            assert_eq!(cells[stop..], cells_now[stop..], "seed {seed} stop {stop}");
        }
    }
    assert!(stopped * 2 > tried, "{stopped} of {tried} recomputations stop before the end");
}

#[test]
fn i7_with_all_rows_after_an_edge_away_what_lies_before_since_stays() {
    for seed in 0..1_000 {
        let month = month(seed, LENGTH_S);
        let edges = edges();
        let cells = whole(&month).cells(&edges);
        let mut dice = Dice::new(seed);
        let edge_us = edges[usize::try_from(dice.within(1, 23)).unwrap()];
        let mut cut = month.clone();
        cut.readings.retain(|row| row.ts_us < edge_us);
        let since_us = state(&month, edge_us).since_us;
        assert_eq!(state(&cut, edge_us), state(&month, edge_us), "seed {seed}");
        let kept = edges.iter().skip(1).filter(|end_us| **end_us <= since_us).count();
        assert_eq!(whole(&cut).cells(&edges)[..kept], cells[..kept], "seed {seed}");
    }
}
