//! What a route says to its family.

use std::collections::BTreeMap;

use crate::unit::Unit;

/// What a route says to its family.
#[derive(Clone, Debug, Default)]
pub struct FamilyOptions {
    /// The unit of energies that don't say it.
    pub energy_unit: Option<Unit>,
    /// The unit of powers that don't say it.
    pub power_unit: Option<Unit>,
    /// The unit of currents that don't say it.
    pub current_unit: Option<Unit>,
    /// What channels are.
    pub channels: BTreeMap<String, String>,
    /// The route says of which zone times without zone are.
    pub has_zone: bool,
}
