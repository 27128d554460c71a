//! The power flow: what goes through the point of connection, and each inverter. What the house draws and the sum of all
//! inverters are computed, and no meters.

use super::super::prelude::*;

const INVERTER: &[Field] =
    &[("P", PowerGenerated, One), ("E_Total", Export, One), ("E_Day", Not(Omitted::DayCounter), One)];

/// `{"Site":{"P_Grid":…,"P_PV":…,"P_Load":…},"Inverters":{"1":{"P":…,"E_Total":…}}}`: P_Grid is null without a meter.
pub(super) fn take(data: &Json<'_>, head: Option<&Json<'_>>, drafts: &mut Drafts) {
    let time = DeviceTime::from_json(head);
    if let Some(power) = data.get("Site").and_then(|site| site.field("P_Grid")) {
        let mut draft = Draft::of("grid", time.clone());
        set_json(&mut draft, Power, power, One, "P_Grid", &mut drafts.omitted);
        drafts.drafts.push(draft);
    }
    for (number, inverter) in data.get("Inverters").map(Json::fields).unwrap_or_default() {
        let mut draft = Draft::of(number.to_string(), time.clone());
        collect(inverter, INVERTER, &mut draft, &mut drafts.omitted);
        drafts.drafts.push(draft);
    }
}
