//! The crate and the slow second reading of the rules agree, bucket by bucket and flag by flag.

use wattline_energy::meter::Meter;
use wattline_energy::{Energy, Flag, Register};

use crate::oracle::{Expected, oracle};
use crate::series::{S, month};

fn compare(seed: u64, length_s: i64) -> (usize, u32) {
    let month = month(seed, length_s);
    let meter = Meter::new(&month.readings, &month.events, &month.settings);
    let start_s = 946_684_800 + 900 * 49;
    let edges = |width_s: i64| (0..=(length_s + 9_000) / width_s).map(move |at| start_s + at * width_s);
    let (stored_s, fine_s): (Vec<i64>, Vec<i64>) = (edges(900).collect(), edges(60).collect());
    let us = |edges_s: &[i64]| edges_s.iter().map(|s| s * S).collect::<Vec<_>>();
    let (stored, fine) = (meter.cells(&us(&stored_s)), meter.fine_cells(&us(&fine_s)));
    let mut flags = 0;
    for register in Register::BOTH {
        let slow = oracle(&month, register);
        for (edges_s, cells, limits_s) in
            [(&stored_s, &stored, [1_125, 4_500, 112_500]), (&fine_s, &fine, [150, 4_500, 112_500])]
        {
            for ((expected, cell), at) in slow.buckets(edges_s, limits_s).iter().zip(cells).zip(edges_s) {
                let energy = cell.energy(register);
                assert!(same(expected, energy), "seed {seed} {register:?} {at}: {energy:?} for {expected:?}");
                flags |= energy.quality.flags().fold(0, |flags, flag| flags | 1 << flag as u8);
            }
        }
    }
    (month.readings.len(), flags)
}

fn same((mwh, known_us, quality): &Expected, energy: &Energy) -> bool {
    let known_ms = known_us.map(|us| i32::try_from(us / 1_000).unwrap());
    *mwh == energy.mwh && known_ms == energy.coverage_ms && *quality == energy.quality
}

#[test]
fn a_thousand_meter_months_agree() {
    let (mut readings, mut flags) = (0, 0);
    for seed in 0..1_000 {
        let (count, seen) = compare(seed, 18_000);
        readings += count;
        flags |= seen;
    }
    assert!(readings > 100_000, "{readings} readings");
    let missing: Vec<&str> =
        Flag::ALL.iter().filter(|flag| flags & 1 << **flag as u8 == 0).map(|flag| flag.as_str()).collect();
    assert_eq!(missing, ["imported", "other"], "flags that no month shows");
}

#[test]
fn short_hostile_meters_agree() {
    for seed in 1_000_000..1_004_000 {
        compare(seed, 600);
    }
}
