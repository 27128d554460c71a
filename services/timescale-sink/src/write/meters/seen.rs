//! What the registry gets of meters that were seen.

use chrono::{DateTime, Utc};
use tokio_postgres::types::ToSql;

use super::Meter;
use crate::failure::Failure;
use crate::session::Session;
use crate::write::letters::text;

const SEEN: &str = include_str!("../../sql/meter_seen.sql");

/// A column each.
#[derive(Default)]
pub(super) struct Seen {
    keys: Vec<i32>,
    times: Vec<DateTime<Utc>>,
    offsets_ms: Vec<Option<i64>>,
    expected_s: Vec<Option<i32>>,
    resolutions_mwh: Vec<Option<i64>>,
    routes: Vec<Option<String>>,
    families: Vec<Option<String>>,
    max_powers_w: Vec<Option<f64>>,
}

// === impl Seen ===

impl Seen {
    pub(super) fn push(&mut self, meter: &mut Meter, offset_ms: Option<i64>) {
        let news = meter.habits.news();
        let info = meter.info.take();
        self.keys.push(meter.key);
        self.times.push(meter.seen.to_chrono());
        self.offsets_ms.push(offset_ms);
        self.expected_s.push(news.expected_s);
        self.resolutions_mwh.push(news.resolution_mwh);
        self.max_powers_w.push(info.as_ref().and_then(|info| info.max_power_w));
        let (route, family) = info.map(|info| (text(&info.route), text(&info.family))).unzip();
        self.routes.push(route);
        self.families.push(family);
    }

    pub(super) async fn write(&self, session: &mut Session) -> Result<(), Failure> {
        let statement = session.prepared(SEEN).await?;
        let Self { keys, times, offsets_ms, expected_s, resolutions_mwh, routes, families, max_powers_w } =
            self;
        let columns: [&(dyn ToSql + Sync); 8] =
            [keys, times, offsets_ms, expected_s, resolutions_mwh, routes, families, max_powers_w];
        session.client().execute(&statement, &columns).await?;
        Ok(())
    }
}
