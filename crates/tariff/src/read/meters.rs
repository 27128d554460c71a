//! Meters and their energies.

use std::ops::Range;

use super::Refusals;
use crate::clock::Quarter;
use crate::fields::{At, Fields, Read};
use crate::model::{Meter, Role, Run};
use crate::node::Node;
use crate::refusal::Code;

/// Ten years of quarter-hours.
const VALUES_MAX: usize = 96 * 3660;
const RUNS_MAX: usize = 20_000;
/// More energy than any home's connection gives in a quarter-hour, in mWh.
const ENERGY_MWH_MAX: i64 = 1_000_000_000_000;
/// What is known of an energy, and which of it makes an estimate.
const QUALITIES: [(&str, bool); 11] = [
    ("gap", true),
    ("power", true),
    ("implausible", true),
    ("spread", false),
    ("shaped", false),
    ("dip", false),
    ("glitch", false),
    ("reset", false),
    ("rollover", false),
    ("swap", false),
    ("imported", false),
];

pub(super) type Named = (String, Meter);

pub(super) fn meters(list: &[At<'_>], refusals: &mut Refusals) -> Read<Vec<Named>> {
    let meters = refusals.each(list, meter);
    // Where one of them is refused anyway, places no longer match.
    for (at, (id, _)) in list.iter().zip(&meters).filter(|_| list.len() == meters.len()) {
        if meters.iter().filter(|(other, _)| other == id).count() > 1 {
            return at.refuse(Code::MeterUnknown);
        }
    }
    Ok(meters)
}

/// The place of a load.
pub(super) fn load(at: &At<'_>, known: &[Named]) -> Read<usize> {
    of_role(at, known, Role::Load)
}

/// The place of a meter of a role.
pub(super) fn of_role(at: &At<'_>, known: &[Named], role: Role) -> Read<usize> {
    let id = at.text()?;
    let place = known.iter().position(|(name, meter)| name == id && meter.role == role);
    place.map_or_else(|| at.refuse(Code::MeterUnknown), Ok)
}

fn meter(at: &At<'_>) -> Read<Named> {
    let fields = at.object(&["id", "role", "runs"])?;
    let roles = [
        ("grid", Role::Grid),
        ("production", Role::Production),
        ("storage", Role::Storage),
        ("load", Role::Load),
    ];
    let id = fields.id()?;
    let role = fields.need("role", Code::RoleUnknown)?.word(&roles, Code::RoleUnknown)?;
    let runs = fields.list("runs", RUNS_MAX)?.iter().map(run).collect::<Read<_>>()?;
    Ok((id.clone(), Meter { id, role, runs }))
}

fn run(at: &At<'_>) -> Read<Run> {
    let fields = at.object(&["from", "to", "import_mwh", "export_mwh", "quality"])?;
    let span: Range<Quarter> =
        fields.need("from", Code::BadTime)?.quarter()?..fields.need("to", Code::BadTime)?.quarter()?;
    if span.is_empty() {
        return at.refuse(Code::RangeEmpty);
    }
    let mut estimated = false;
    for word in fields.list("quality", QUALITIES.len())? {
        estimated |= word.word(&QUALITIES, Code::ValueUnknown)?;
    }
    let (import_mwh, export_mwh) = (energies(&fields, "import_mwh")?, energies(&fields, "export_mwh")?);
    Ok(Run { span, import_mwh, export_mwh, estimated })
}

fn energies(fields: &Fields<'_>, key: &str) -> Read<Vec<Option<i64>>> {
    let Some(at) = fields.get(key) else { return Ok(Vec::new()) };
    let Node::List(items) = at.node else { return at.refuse(Code::ValueUnknown) };
    if items.len() > VALUES_MAX {
        return at.refuse(Code::TooLarge);
    }
    let mut energies = Vec::with_capacity(items.len());
    for (place, node) in items.iter().enumerate() {
        energies.push(match energy(node) {
            Some(energy) => energy,
            None => return At { node, place: format!("{}[{place}]", at.place) }.refuse(Code::BadNumber),
        });
    }
    Ok(energies)
}

/// A whole number or null.
fn energy(node: &Node<'_>) -> Option<Option<i64>> {
    let text: &str = match node {
        Node::Null => return Some(None),
        Node::Number(text) => text,
        Node::Text(text) => text,
        _ => return None,
    };
    let energy: i64 = text.parse().ok()?;
    (energy.abs() <= ENERGY_MWH_MAX).then_some(Some(energy))
}
