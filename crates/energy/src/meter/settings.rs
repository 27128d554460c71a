//! The constants of the rules, which a device family, a route and a meter may set.

const SECOND_US: i64 = 1_000_000;
/// 1 Wh in mWh, 1 W in mW.
const KILO: i64 = 1_000;

/// The constants of one meter. Names end in the unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The most power that can flow.
    pub max_power_mw: i64,
    /// By how much its registers move at least; 0 where that is not known.
    pub resolution_mwh: i64,
    /// A rise of so much is taken however short the time.
    pub jump_allowance_mwh: i64,
    /// A fall of at most so much is a dip.
    pub dip_mwh: i64,
    /// A register of such a resolution is coarse: hours lie between two of its steps.
    pub coarse_mwh: i64,
    /// Where its registers may roll over, in ascending order.
    pub moduli_mwh: Vec<i64>,
    /// How long a bridge may repeat an old register after a reset.
    pub latch_us: i64,
    /// No single look back or ahead is longer; a longer interval is a silence.
    pub reach_us: i64,
    /// A register has stood still for at most so long before the last reading of its run.
    pub still_max_us: i64,
    /// An excursion of several values is over within so long.
    pub excursion_us: i64,
    /// An excursion has at most so many runs.
    pub excursion_runs_max: usize,
    /// An excursion of a single value is over within so long; one to zero within the reach.
    pub glitch_window_us: i64,
    /// Epochs of one counter may differ by so much.
    pub epoch_tolerance_us: i64,
    /// A counter that began again has counted for at most so long at full power.
    pub reset_room_us: i64,
    /// No interval up to so long is a gap.
    pub gap_us: i64,
    /// A span up to so long is shared evenly.
    pub shape_min_us: i64,
    /// A power reading holds for at most so long.
    pub hold_us: i64,
    /// The usual distance of its readings, where it is set and not measured.
    pub expected_us: Option<i64>,
    /// Its import register rises with import and falls with export.
    pub is_net: bool,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_power_mw: 60_000 * KILO,
            resolution_mwh: 0,
            jump_allowance_mwh: 1_000 * KILO,
            dip_mwh: 100 * KILO,
            coarse_mwh: 100 * KILO,
            moduli_mwh: vec![100_000_000 * KILO, 1_000_000_000 * KILO, 4_294_967_296 * KILO],
            latch_us: 0,
            reach_us: 3_024_000 * SECOND_US,
            still_max_us: 93_600 * SECOND_US,
            excursion_us: 3_600 * SECOND_US,
            excursion_runs_max: 8,
            glitch_window_us: 86_400 * SECOND_US,
            epoch_tolerance_us: 120 * SECOND_US,
            reset_room_us: 3_600 * SECOND_US,
            gap_us: 1_000 * SECOND_US,
            shape_min_us: 120 * SECOND_US,
            hold_us: 300 * SECOND_US,
            expected_us: None,
            is_net: false,
        }
    }
}

impl Settings {
    /// A rise of so much is taken however short the time: two steps of a coarse register are.
    #[must_use]
    pub const fn allowance_mwh(&self) -> i64 {
        larger(self.jump_allowance_mwh, self.resolution_mwh.saturating_mul(2))
    }

    /// A fall of at most so much is a dip.
    #[must_use]
    pub const fn dip_bound_mwh(&self) -> i64 {
        larger(self.dip_mwh, self.resolution_mwh.saturating_mul(2))
    }

    /// Whether hours lie between two steps.
    #[must_use]
    pub const fn is_coarse(&self) -> bool {
        self.resolution_mwh >= self.coarse_mwh
    }

    /// What full power gives in so long, in mW·µs.
    #[must_use]
    pub const fn room(&self, us: i64) -> i128 {
        self.max_power_mw as i128 * us as i128
    }
}

/// Energy in mW·µs, the unit in which all comparisons are exact.
#[must_use]
pub const fn mw_us(mwh: i64) -> i128 {
    mwh as i128 * MW_US_PER_MWH
}

/// mW·µs in one mWh.
pub const MW_US_PER_MWH: i128 = 3_600_000_000;

const fn larger(one: i64, other: i64) -> i64 {
    if one > other { one } else { other }
}
