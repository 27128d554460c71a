//! The meters that a writer knows: their keys, and the newest instant that the table has of each.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::ToSql;
use wattline_reading::{MeterInfo, Reading, Timestamp};

use crate::batch::{Content, Set};
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::session::Session;
use crate::write::clock::{self, Clock};
use crate::write::copy::Row;
use crate::write::habits::{Habits, Told};
use crate::write::letters::text;
use crate::write::plan::Rows;
use wattline_stream::Partition;

const FIND: &str = "SELECT meter_id, meter_key, last_seen, expected_s, round(resolution_wh * 1000)::bigint FROM meter \
    WHERE meter_id = ANY($1)";
/// `DO NOTHING` would not give the key of a meter that another sink registered a moment ago.
const REGISTER: &str = "INSERT INTO meter AS m (meter_id, first_seen, last_seen) \
    SELECT * FROM unnest($1::text[], $2::timestamptz[], $2::timestamptz[]) \
    ON CONFLICT (meter_id) DO UPDATE SET last_seen = greatest(m.last_seen, excluded.last_seen) \
    RETURNING meter_id, meter_key, last_seen, expected_s, round(resolution_wh * 1000)::bigint, xmax = 0";
const NEWEST: &str = "SELECT k, (SELECT ts FROM reading WHERE meter_key = k ORDER BY ts DESC LIMIT 1) \
    FROM unnest($1::int[]) AS k";
/// A meter whose readings have no time of the device keeps what was measured when they had; what isn't known stays.
const SEEN: &str = "UPDATE meter SET last_seen = greatest(last_seen, at), \
        clock_offset_ms = coalesce(off_ms, clock_offset_ms), \
        clock_measured_at = CASE WHEN off_ms IS NULL THEN clock_measured_at ELSE greatest(clock_measured_at, at) END, \
        expected_s = coalesce(distance_s, expected_s), resolution_wh = coalesce(step_mwh / 1000.0, resolution_wh), \
        route = coalesce(told_route, route), family = coalesce(told_family, family), \
        max_power_w = CASE WHEN told_route IS NULL THEN max_power_w ELSE nullif(greatest(max_w, 0), 0) END \
    FROM unnest($1::int[], $2::timestamptz[], $3::bigint[], $4::int[], $5::bigint[], $6::text[], $7::text[], \
        $8::float8[]) AS seen(k, at, off_ms, distance_s, step_mwh, told_route, told_family, max_w) \
    WHERE meter_key = k AND (last_seen < at OR distance_s IS NOT NULL OR step_mwh IS NOT NULL \
        OR (told_route IS NOT NULL AND (told_route, told_family, max_w) IS DISTINCT FROM (route, family, max_power_w)))";
/// `last_seen` is written at most so often for each meter.
const SEEN_EVERY_US: i64 = 60_000_000;
/// Meters that the allow-list refused are remembered up to this number, so that they aren't asked for again.
const REFUSED_MAX: usize = 10_000;
/// Most meters in one statement.
const STATEMENT_METERS_MAX: usize = 5000;

/// The keys of a batch are read through this connection, but a database that has lost its last commits may have given
/// them to others since.
const CHECK: &str = "SELECT count(*) AS found FROM meter WHERE meter_key = ANY($1)";

/// What a writer knows of meters.
#[derive(Debug)]
pub struct Meters {
    known: HashMap<String, Meter>,
    refused: HashSet<String>,
    /// Those whose `last_seen` is to be written.
    seen_due: Vec<String>,
    /// The last [`Meters::resolve`] did not come to its end: some are known only by their keys.
    incomplete: bool,
    rules: Arc<Rules>,
}

/// One known meter.
#[derive(Clone, Debug)]
pub struct Meter {
    /// Its key in the tables.
    pub key: i32,
    partition: Partition,
    newest: Newest,
    seen: Timestamp,
    seen_due: bool,
    clock: Clock,
    habits: Habits,
    /// What is to be written of it.
    info: Option<Box<MeterInfo>>,
}

/// What the registry gets of meters that were seen, a column each.
#[derive(Default)]
struct Seen {
    keys: Vec<i32>,
    times: Vec<DateTime<Utc>>,
    offsets_ms: Vec<Option<i64>>,
    expected_s: Vec<Option<i32>>,
    resolutions_mwh: Vec<Option<i64>>,
    routes: Vec<Option<String>>,
    families: Vec<Option<String>>,
    max_powers_w: Vec<Option<f64>>,
}

/// Who may be registered, and how fast; shared by the writers of a process.
#[derive(Debug)]
pub struct Rules {
    allowed: Option<HashSet<String>>,
    budget: Mutex<Budget>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newest {
    Unknown,
    Nothing,
    At(Timestamp),
}

/// A bucket of tokens, filled evenly, full at the start.
#[derive(Debug)]
struct Budget {
    per_minute: u32,
    available: f64,
    filled_at: Instant,
}

/// Makes sure, in the transaction of the rows, that all of their meters are registered.
///
/// # Errors
/// [`Failure::MetersGone`] where one isn't, or what the server says.
pub async fn check(session: &mut Session, rows: &Rows<'_>) -> Result<(), Failure> {
    let mut keys: Vec<i32> = rows.new.iter().chain(&rows.filled).map(|(meter_key, _)| *meter_key).collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        return Ok(());
    }
    let statement = session.prepared(CHECK).await?;
    let found: i64 = session.client().query_one(&statement, &[&keys]).await?.try_get("found")?;
    if usize::try_from(found) == Ok(keys.len()) { Ok(()) } else { Err(Failure::MetersGone) }
}

// === impl Meters ===

impl Meters {
    /// Knows nobody yet.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            known: HashMap::new(),
            refused: HashSet::new(),
            seen_due: Vec::new(),
            incomplete: false,
            rules,
        }
    }

    /// Makes all meters of the sets known: finds or registers them, in statements that are committed by themselves
    /// (a key that a rollback took back must never be remembered), and looks up what the table has of them.
    ///
    /// # Errors
    /// What the server says, or [`Failure::MeterBudget`]: call again after the wait.
    pub async fn resolve(
        &mut self,
        session: &mut Session,
        sets: &[Set],
        metrics: &Metrics,
    ) -> Result<(), Failure> {
        if self.incomplete {
            self.known.retain(|_, meter| meter.newest != Newest::Unknown);
        }
        let unknown = self.unknown(sets);
        if unknown.is_empty() {
            return Ok(());
        }
        self.incomplete = true;
        let ids: Vec<&str> = unknown.keys().copied().collect();
        for ids in ids.chunks(STATEMENT_METERS_MAX) {
            let find = session.prepared(FIND).await?;
            for row in session.client().query(&find, &[&ids]).await? {
                let id: &str = row.try_get(0)?;
                if let Some((partition, _)) = unknown.get(id) {
                    self.insert(id, &row, *partition, Newest::Unknown)?;
                }
            }
        }
        let missing: BTreeMap<_, _> =
            unknown.into_iter().filter(|(id, _)| !self.known.contains_key(*id)).collect();
        let wait = self.register(session, missing, metrics).await?;
        self.look_up_newest(session).await?;
        self.incomplete = false;
        metrics.meters_known.set(i64::try_from(self.known.len()).unwrap_or(i64::MAX));
        match wait {
            Some(wait) => Err(Failure::MeterBudget(wait)),
            None => Ok(()),
        }
    }

    /// The meter of a reading; `None` where it may not be registered.
    pub fn get(&mut self, reading: &Reading) -> Option<&Meter> {
        let meter = self.known.get_mut(&reading.meter_id)?;
        meter.clock.observe(reading);
        meter.habits.observe(reading);
        let told = reading.meter_info.is_some();
        if told {
            meter.info.clone_from(&reading.meter_info);
        }
        if told || reading.received_at.micros() - meter.seen.micros() >= SEEN_EVERY_US {
            meter.seen = meter.seen.max(reading.received_at);
            if !meter.seen_due {
                meter.seen_due = true;
                self.seen_due.push(reading.meter_id.clone());
            }
        }
        Some(meter)
    }

    /// Rows have been committed, in the order of their keys.
    pub fn stored(&mut self, rows: &[Row<'_>]) {
        for of_meter in rows.chunk_by(|a, b| a.0 == b.0) {
            // The last row of a meter is its newest.
            let Some((_, row)) = of_meter.last() else { continue };
            if let Some(meter) = self.known.get_mut(&row.meter_id) {
                meter.newest = match meter.newest {
                    Newest::At(newest) => Newest::At(newest.max(row.ts)),
                    Newest::Nothing | Newest::Unknown => Newest::At(row.ts),
                };
            }
        }
    }

    /// Writes `last_seen` of the meters whose last one is older than a minute, how far their clocks are off (by all
    /// readings of the batch, as the first of a buffered message is its oldest), and what is new of their habits; and
    /// of those of which mqtt-ingest said something, that.
    ///
    /// # Errors
    /// What the server says; it is written again a minute later, what mqtt-ingest said when it says it again.
    pub async fn write_seen(&mut self, session: &mut Session, metrics: &Metrics) -> Result<(), Failure> {
        if self.seen_due.is_empty() {
            return Ok(());
        }
        let due = std::mem::take(&mut self.seen_due);
        let mut seen = Seen::default();
        for id in &due {
            let Some(meter) = self.known.get_mut(id) else { continue };
            meter.seen_due = false;
            let offset_ms = meter.clock.offset_ms();
            if let Some(offset_ms) = offset_ms {
                metrics.clock(clock::class(offset_ms));
            }
            seen.push(meter, offset_ms);
        }
        seen.write(session).await?;
        for id in &due {
            let Some(meter) = self.known.get_mut(id) else { continue };
            meter.habits.told(meter.habits.news());
        }
        Ok(())
    }

    /// Forgets all of them: what was read through another connection may not be in the database that this one leads to.
    pub fn forget(&mut self) {
        *self = Self::new(Arc::clone(&self.rules));
    }

    /// Forgets the meters of partitions that are no longer kept: someone else may write them now.
    pub fn retain(&mut self, keep: impl Fn(Partition) -> bool) {
        self.known.retain(|_, meter| keep(meter.partition));
        self.known.shrink_to_fit();
    }

    /// The meters of the sets that aren't known yet, with the partition and the first arrival of each.
    fn unknown<'a>(&self, sets: &'a [Set]) -> BTreeMap<&'a str, (Partition, Timestamp)> {
        let mut unknown = BTreeMap::new();
        for set in sets {
            for record in &set.records {
                let Content::Reading(reading) = &record.content else { continue };
                let id = reading.meter_id.as_str();
                if !self.known.contains_key(id) && !self.refused.contains(id) {
                    unknown.entry(id).or_insert((set.partition, reading.received_at));
                }
            }
        }
        unknown
    }

    async fn register(
        &mut self,
        session: &mut Session,
        mut missing: BTreeMap<&str, (Partition, Timestamp)>,
        metrics: &Metrics,
    ) -> Result<Option<Duration>, Failure> {
        if let Some(allowed) = &self.rules.allowed {
            if self.refused.len() > REFUSED_MAX {
                self.refused.clear();
            }
            missing.retain(|id, _| {
                let allow = allowed.contains(*id);
                if !allow {
                    self.refused.insert((*id).to_owned());
                }
                allow
            });
        }
        let (granted, wait) = self.rules.budget.lock().take(missing.len(), Instant::now());
        let granted: Vec<_> = missing.iter().take(granted).collect();
        for chunk in granted.chunks(STATEMENT_METERS_MAX) {
            let ids: Vec<&str> = chunk.iter().map(|(id, _)| **id).collect();
            let seen: Vec<DateTime<Utc>> = chunk.iter().map(|(_, (_, at))| at.to_chrono()).collect();
            let register = session.prepared(REGISTER).await?;
            for row in session.client().query(&register, &[&ids, &seen]).await? {
                let (id, is_new): (&str, bool) = (row.try_get(0)?, row.try_get(5)?);
                // Of a meter that was made just now the table has nothing.
                let newest = if is_new { Newest::Nothing } else { Newest::Unknown };
                metrics.meters_registered.inc_by(u64::from(is_new));
                if let Some((partition, _)) = missing.get(id) {
                    self.insert(id, &row, *partition, newest)?;
                }
            }
        }
        Ok(wait)
    }

    async fn look_up_newest(&mut self, session: &mut Session) -> Result<(), Failure> {
        let mut wanted: HashMap<i32, &mut Meter> = self
            .known
            .values_mut()
            .filter(|meter| meter.newest == Newest::Unknown)
            .map(|meter| (meter.key, meter))
            .collect();
        let keys: Vec<i32> = wanted.keys().copied().collect();
        for keys in keys.chunks(STATEMENT_METERS_MAX) {
            let statement = session.prepared(NEWEST).await?;
            for row in session.client().query(&statement, &[&keys]).await? {
                let (key, newest): (i32, Option<DateTime<Utc>>) = (row.try_get(0)?, row.try_get(1)?);
                if let Some(meter) = wanted.get_mut(&key) {
                    meter.newest = newest.map_or(Newest::Nothing, |newest| Newest::At(newest.into()));
                }
            }
        }
        Ok(())
    }

    /// From a row of [`FIND`] or [`REGISTER`].
    fn insert(
        &mut self,
        id: &str,
        row: &SqlRow,
        partition: Partition,
        newest: Newest,
    ) -> Result<(), tokio_postgres::Error> {
        let seen: DateTime<Utc> = row.try_get(2)?;
        let meter = Meter {
            key: row.try_get(1)?,
            partition,
            newest,
            seen: seen.into(),
            seen_due: false,
            clock: Clock::default(),
            habits: Habits::new(Told { expected_s: row.try_get(3)?, resolution_mwh: row.try_get(4)? }),
            info: None,
        };
        self.known.insert(id.to_owned(), meter);
        Ok(())
    }
}

// === impl Seen ===

impl Seen {
    fn push(&mut self, meter: &mut Meter, offset_ms: Option<i64>) {
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

    async fn write(&self, session: &mut Session) -> Result<(), Failure> {
        let statement = session.prepared(SEEN).await?;
        let Self { keys, times, offsets_ms, expected_s, resolutions_mwh, routes, families, max_powers_w } =
            self;
        let columns: [&(dyn ToSql + Sync); 8] =
            [keys, times, offsets_ms, expected_s, resolutions_mwh, routes, families, max_powers_w];
        session.client().execute(&statement, &columns).await?;
        Ok(())
    }
}

// === impl Meter ===

impl Meter {
    /// True where the table has nothing of this instant, nor of a later one.
    #[must_use]
    pub fn is_newer(&self, ts: Timestamp) -> bool {
        match self.newest {
            Newest::Unknown => false,
            Newest::Nothing => true,
            Newest::At(newest) => ts > newest,
        }
    }
}

// === impl Rules ===

impl Rules {
    /// From the settings; reads the allow-list.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn new(new_per_minute_max: u32, allow_file: Option<&Path>) -> anyhow::Result<Self> {
        let read = |file: &Path| {
            let text = std::fs::read_to_string(file).with_context(|| {
                format!("cannot read the allow-list {} (meters.allow_file)", file.display())
            })?;
            let ids = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            anyhow::Ok(ids.map(str::to_owned).collect())
        };
        let allowed = allow_file.map(read).transpose()?;
        let budget = Mutex::new(Budget {
            per_minute: new_per_minute_max,
            available: f64::from(new_per_minute_max),
            filled_at: Instant::now(),
        });
        Ok(Self { allowed, budget })
    }
}

// === impl Budget ===

impl Budget {
    /// Grants at most `wanted`; where that is less, also says how long it takes until there are more.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small numbers, never negative"
    )]
    fn take(&mut self, wanted: usize, now: Instant) -> (usize, Option<Duration>) {
        let per_second = f64::from(self.per_minute) / 60.0;
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.available = (self.available + passed * per_second).min(f64::from(self.per_minute));
        self.filled_at = now;
        let granted = wanted.min(self.available as usize);
        self.available -= granted as f64;
        let missing = wanted - granted;
        let wait =
            (missing > 0).then(|| Duration::from_secs_f64((missing as f64 / per_second).clamp(0.05, 2.0)));
        (granted, wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_fills_evenly_and_never_above_a_minute() {
        let start = Instant::now();
        let mut budget = Budget { per_minute: 60, available: 60.0, filled_at: start };
        assert_eq!(budget.take(50, start), (50, None));
        let (granted, wait) = budget.take(50, start);
        assert_eq!((granted, wait), (10, Some(Duration::from_secs(2))));
        assert_eq!(budget.take(2, start + Duration::from_secs(3)), (2, None));
        assert_eq!(budget.take(100, start + Duration::from_secs(3600)).0, 60);
    }

    #[test]
    fn an_allow_list_has_one_id_a_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# the street\nm-1\n\n m-2 \n").unwrap();
        let rules = Rules::new(1, Some(file.path())).unwrap();
        let allowed = rules.allowed.unwrap();
        assert_eq!(allowed, HashSet::from(["m-1".to_owned(), "m-2".to_owned()]));
        let error = Rules::new(1, Some(Path::new("/no/such/file"))).unwrap_err();
        assert!(format!("{error:#}").contains("meters.allow_file"));
    }
}
