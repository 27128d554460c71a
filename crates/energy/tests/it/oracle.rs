//! The rules once more, slowly and by themselves: each second of a month is looked at, every pair of readings is
//! compared with all others, and nothing is taken from the crate but its types.

use wattline_energy::meter::{Reading, Settings, Swap};
use wattline_energy::{Flag, Quality, Register};

use crate::series::{Month, S};

/// What one direction of a bucket should be: energy, known µs by class, flags.
pub(crate) type Expected = (Option<i64>, [i64; 4], Quality);

#[derive(Clone, Copy, Debug, PartialEq)]
struct At {
    s: i64,
    mwh: i64,
    epoch_s: Option<i64>,
}

/// A stretch with an energy, or without.
#[derive(Clone, Debug)]
struct Piece {
    begin_s: i64,
    from_s: i64,
    to_s: i64,
    mwh: Option<i64>,
    length_s: i64,
    flags: Vec<Flag>,
}

/// One direction of a month.
pub(crate) struct Oracle {
    settings: Settings,
    sign: i64,
    pieces: Vec<Piece>,
    ignored_s: Vec<i64>,
    readings: Vec<Reading>,
}

pub(crate) fn oracle(month: &Month, register: Register) -> Oracle {
    let settings = month.settings.clone();
    let sign = if register == Register::Import { 1 } else { -1 };
    let field = if settings.is_net { Register::Import } else { register };
    let all: Vec<At> = month
        .readings
        .iter()
        .filter_map(|reading| {
            let epoch_s = reading.epoch_us.map(|us| us / S);
            Some(At { s: reading.ts_us / S, mwh: reading.register(field)?, epoch_s })
        })
        .collect();
    let mut chain = all.clone();
    if !settings.is_net {
        chain = without_excursions(&chain, true, &settings);
        chain = without_excursions(&chain, false, &settings);
    }
    let ignored_s = all.iter().filter(|at| !chain.contains(at)).map(|at| at.s).collect();
    let events: Vec<Swap> = month.events.iter().copied().filter(|event| event.register == field).collect();
    let mut pieces = pieces(&chain, &events, &settings);
    if settings.is_net {
        for piece in &mut pieces {
            piece.mwh = piece.mwh.map(|mwh| (mwh * sign).max(0));
        }
    }
    Oracle { settings, sign, pieces, ignored_s, readings: month.readings.clone() }
}

/// A reading at which an excursion may begin, one at which it may end, and everything between is looked at anew.
fn without_excursions(chain: &[At], is_dip: bool, settings: &Settings) -> Vec<At> {
    let mut gone = vec![false; chain.len()];
    let mut p = 0;
    while p < chain.len() {
        let is_last_of_run = p + 1 == chain.len() || chain[p + 1].mwh != chain[p].mwh;
        if !is_last_of_run {
            p += 1;
            continue;
        }
        let end = (p + 2..chain.len()).find(|n| is_excursion(&chain[p..=*n], is_dip, settings));
        match end {
            Some(n) => {
                gone[p + 1..n].fill(true);
                p = n;
            }
            None => p += 1,
        }
    }
    chain.iter().zip(gone).filter(|(_, gone)| !gone).map(|(at, _)| *at).collect()
}

fn is_excursion(part: &[At], is_dip: bool, settings: &Settings) -> bool {
    let (p, n) = (part[0], part[part.len() - 1]);
    let inside = &part[1..part.len() - 1];
    // The first reading of a later run.
    if inside[inside.len() - 1].mwh == n.mwh {
        return false;
    }
    let runs = 1 + inside.windows(2).filter(|pair| pair[0].mwh != pair[1].mwh).count();
    if runs > settings.excursion_runs_max {
        return false;
    }
    let lowest = inside.iter().map(|at| at.mwh).min().unwrap();
    let highest = inside.iter().map(|at| at.mwh).max().unwrap();
    let is_outside = if is_dip { highest < p.mwh } else { lowest > n.mwh };
    let depth = if is_dip { p.mwh - highest } else { lowest - n.mwh };
    let window_s = match (runs, inside[0].mwh) {
        (1, 0) => settings.reach_us / S,
        (1, _) => settings.glitch_window_us / S,
        _ => settings.excursion_us / S,
    };
    is_outside
        && p.mwh <= n.mwh
        && (n.mwh - p.mwh) * 10 <= depth
        && (highest - lowest) * 10 <= depth
        && n.s - p.s <= window_s
}

fn pieces(chain: &[At], events: &[Swap], settings: &Settings) -> Vec<Piece> {
    let mut pieces = Vec::new();
    // Since which reading the value is the same, looked for anew each time; cut where a run was ended.
    let mut run_from = 0;
    for (place, pair) in chain.windows(2).enumerate() {
        let (a, b) = (pair[0], pair[1]);
        let first = (run_from..=place).rev().take_while(|at| chain[*at].mwh == a.mwh).last().unwrap();
        let begin_s = chain[first].s.max(a.s - settings.still_max_us / S);
        let (new, ends_run) = judged(a, b, begin_s, events, settings);
        pieces.extend(new);
        if ends_run {
            run_from = place + 1;
        }
    }
    pieces
}

/// Energies × 3600 are mW·s.
fn judged(a: At, b: At, begin_s: i64, events: &[Swap], settings: &Settings) -> (Vec<Piece>, bool) {
    let (d, dt) = (b.mwh - a.mwh, b.s - a.s);
    if dt * S > settings.reach_us {
        return (vec![], true);
    }
    let allowance = settings.jump_allowance_mwh.max(2 * settings.resolution_mwh);
    let room = |s: i64| i128::from(settings.max_power_mw) * i128::from(s);
    let fits = |mwh: i64, s: i64| i128::from(mwh - allowance) * 3_600 <= room(s);
    let piece = |begin_s: i64, from_s: i64, to_s: i64, mwh: Option<i64>, flags: &[Flag]| Piece {
        begin_s,
        from_s,
        to_s,
        mwh,
        length_s: dt,
        flags: flags.to_vec(),
    };
    if let Some(parts) = entered(a, b, begin_s, events, settings) {
        return (parts, true);
    }
    let one = |mwh: Option<i64>, flags: &[Flag]| (vec![piece(a.s, a.s, b.s, mwh, flags)], false);
    if let (Some(ea), Some(eb), false) = (a.epoch_s, b.epoch_s, settings.is_net) {
        let tolerance = settings.epoch_tolerance_us / S;
        let from = eb.max(a.s);
        if (eb - ea).abs() > tolerance
            && a.s - tolerance < eb
            && eb < b.s
            && b.mwh >= 0
            && fits(b.mwh, b.s - from)
        {
            let mut known = piece(from, from, b.s, Some(b.mwh), &[Flag::Reset]);
            known.length_s = b.s - from;
            let unknown = piece(a.s, a.s, from, None, &[Flag::Reset]);
            let all = if from == a.s { vec![known] } else { vec![unknown, known] };
            return (all, true);
        }
    }
    let up = if settings.is_net { d.abs() } else { d };
    if up >= 0 {
        if !fits(up, b.s - begin_s) {
            return one(None, &[Flag::Implausible]);
        }
        let late = i128::from(up - settings.dip_mwh) * 3_600 > room(dt);
        if up > 0 && (settings.resolution_mwh >= settings.coarse_mwh || late) {
            return (vec![piece(begin_s, a.s, b.s, Some(d), &[Flag::Spread])], false);
        }
        return one(Some(d), &[]);
    }
    if -d <= settings.dip_mwh.max(2 * settings.resolution_mwh) && b.mwh * 10 >= a.mwh * 9 {
        return one(Some(d), &[Flag::Dip]);
    }
    for modulus in &settings.moduli_mwh {
        let e = modulus + d;
        if a.mwh < *modulus && e >= 0 && e * 1_000 <= *modulus && fits(e, b.s - begin_s) {
            return one(Some(e), &[Flag::Rollover]);
        }
    }
    let most_s = [dt + settings.latch_us / S, b.s - begin_s, settings.reset_room_us / S];
    let most = room(*most_s.iter().min().unwrap());
    if b.mwh >= 0 && b.mwh * 2 < a.mwh && i128::from(b.mwh) * 3_600 <= most {
        return one(Some(b.mwh), &[Flag::Reset]);
    }
    one(None, &[Flag::Swap])
}

/// The operator's word, where it can be true.
fn entered(a: At, b: At, begin_s: i64, events: &[Swap], settings: &Settings) -> Option<Vec<Piece>> {
    let allowance = settings.jump_allowance_mwh.max(2 * settings.resolution_mwh);
    let fits = |mwh: i64, s: i64| {
        i128::from(mwh - allowance) * 3_600 <= i128::from(settings.max_power_mw) * i128::from(s)
    };
    let piece = |from_s: i64, to_s: i64, mwh: i64| Piece {
        begin_s: from_s,
        from_s,
        to_s,
        mwh: Some(mwh),
        length_s: b.s - a.s,
        flags: vec![Flag::Swap],
    };
    let mut inside: Vec<&Swap> =
        events.iter().filter(|event| a.s * S < event.at_us && event.at_us <= b.s * S).collect();
    inside.sort_by_key(|event| event.at_us);
    for event in inside {
        let at = event.at_us / S;
        let (old, new) = (event.old_mwh - a.mwh, b.mwh - event.new_mwh);
        let size = |mwh: i64| if settings.is_net { mwh.abs() } else { mwh };
        if [(old, at - begin_s), (new, b.s - at)]
            .iter()
            .all(|(mwh, s)| size(*mwh) >= -allowance && fits(size(*mwh), *s))
        {
            let count = |mwh: i64| if settings.is_net { mwh } else { mwh.max(0) };
            let (old, new) = (count(old), count(new));
            if at == b.s {
                return Some(vec![piece(a.s, b.s, old + new)]);
            }

            return Some(vec![piece(a.s, at, old), piece(at, b.s, new)]);
        }
    }
    None
}

impl Oracle {
    /// Power in each second of `[from_s, to_s)`, and whether a reading that is none would have told of it.
    fn power(&self, from_s: i64, to_s: i64) -> Vec<(Option<i64>, bool)> {
        let mut seconds = vec![(None, false); usize::try_from(to_s - from_s).unwrap()];
        for (place, reading) in self.readings.iter().enumerate() {
            let Some(mw) = reading.power_mw else { continue };
            let is_sound = mw.abs() <= self.settings.max_power_mw;
            let counts = |mw: i64| !is_sound || mw.abs() <= self.settings.max_power_mw;
            let mut end_us = reading.ts_us + self.settings.hold_us;
            let later = &self.readings[place + 1..];
            if let Some(next) = later.iter().find(|next| next.power_mw.is_some_and(counts)) {
                end_us = end_us.min(next.ts_us);
            }
            let mut last_us = reading.ts_us;
            for next in later.iter().take_while(|next| next.ts_us <= end_us + self.settings.reach_us) {
                if next.ts_us - last_us > self.settings.reach_us {
                    break;
                }
                last_us = next.ts_us;
            }
            end_us = end_us.min(last_us);
            for s in (reading.ts_us / S).max(from_s)..(end_us / S).min(to_s) {
                let second = &mut seconds[usize::try_from(s - from_s).unwrap()];
                if is_sound { second.0 = Some((mw * self.sign).max(0)) } else { second.1 = true }
            }
        }
        seconds
    }

    /// Each bucket between two edges. `limits_s`: above which lengths an interval is in the next class.
    pub(crate) fn buckets(&self, edges_s: &[i64], limits_s: [i64; 3]) -> Vec<Expected> {
        let (first, last) = (edges_s[0], edges_s[edges_s.len() - 1]);
        let begin = self.pieces.iter().map(|piece| piece.begin_s).min().unwrap_or(first).min(first);
        let end = self.pieces.iter().map(|piece| piece.to_s).max().unwrap_or(last).max(last);
        let power = self.power(begin, end);
        let place = |s: i64| usize::try_from(s - begin).unwrap();
        let mut known = vec![false; power.len()];
        let mut buckets: Vec<Expected> = vec![(None, [0; 4], Quality::NONE); edges_s.len() - 1];
        for piece in &self.pieces {
            let span = &power[place(piece.begin_s)..place(piece.to_s)];
            let is_shaped = self.is_shaped(piece, span);
            let weight = |until_s: i64| -> i128 {
                let seconds = until_s.clamp(piece.begin_s, piece.to_s) - piece.begin_s;
                let part = &span[..usize::try_from(seconds).unwrap()];
                let told = part.iter().map(|second| i128::from(second.0.unwrap_or(0)));
                if is_shaped { told.sum() } else { i128::from(seconds) }
            };
            let until = |until_s: i64, mwh: i64| {
                let (part, whole) = (i128::from(mwh) * weight(until_s), weight(piece.to_s));
                i64::try_from((part * 2 + whole).div_euclid(whole * 2)).unwrap()
            };
            if piece.mwh.is_some() {
                known[place(piece.from_s)..place(piece.to_s)].fill(true);
            }
            for (pair, bucket) in edges_s.windows(2).zip(&mut buckets) {
                let overlap = |from_s: i64, to_s: i64| (to_s.min(pair[1]) - from_s.max(pair[0])).max(0);
                if overlap(piece.begin_s, piece.to_s) == 0 {
                    continue;
                }
                bucket.2 = piece.flags.iter().fold(bucket.2, |flags, flag| flags.with(*flag));
                if is_shaped && piece.length_s > limits_s[0] {
                    bucket.2 = bucket.2.with(Flag::Shaped);
                }
                if let Some(mwh) = piece.mwh {
                    bucket.0 = Some(bucket.0.unwrap_or(0) + until(pair[1], mwh) - until(pair[0], mwh));
                    let class =
                        limits_s.iter().filter(|limit| !is_shaped && piece.length_s > **limit).count();
                    bucket.1[class] += overlap(piece.from_s, piece.to_s) * S;
                }
            }
        }
        for (pair, bucket) in edges_s.windows(2).zip(&mut buckets) {
            self.fill(pair[0]..pair[1], &known[place(pair[0])..], &power[place(pair[0])..], bucket);
        }
        buckets
    }

    fn is_shaped(&self, piece: &Piece, span: &[(Option<i64>, bool)]) -> bool {
        let told: i128 = span.iter().map(|second| i128::from(second.0.unwrap_or(0))).sum();
        let covered = span.iter().filter(|second| second.0.is_some()).count();
        let Some(mwh) = piece.mwh else { return false };
        let energy = i128::from(mwh) * 3_600;
        (piece.to_s - piece.begin_s) * S > self.settings.shape_min_us
            && mwh > 0
            && covered * 10 >= span.len() * 9
            && told > 0
            && energy * 2 >= told
            && energy <= told * 2
    }

    fn fill(
        &self,
        seconds: std::ops::Range<i64>,
        known: &[bool],
        power: &[(Option<i64>, bool)],
        bucket: &mut Expected,
    ) {
        let mut told = None;
        for ((s, known), (mw, beyond)) in seconds.zip(known).zip(power) {
            if self.ignored_s.contains(&s) {
                bucket.2 = bucket.2.with(Flag::Glitch);
            }
            if *known {
                continue;
            }
            if *beyond {
                bucket.2 = bucket.2.with(Flag::Implausible);
            }
            if let Some(mw) = mw {
                bucket.1[0] += S;
                told = Some(told.unwrap_or(0) + mw);
            }
        }
        if let Some(mw_s) = told {
            bucket.2 = bucket.2.with(Flag::Power);
            bucket.0 = Some(bucket.0.unwrap_or(0) + (mw_s * 2 + 3_600).div_euclid(7_200));
        }
        if bucket.1[1..].iter().any(|us| *us > 0) {
            bucket.2 = bucket.2.with(Flag::Gap);
        }
    }
}
