//! The meters that a writer knows: their keys, and the newest instant that the table has of each.

mod rules;
mod seen;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use wattline_reading::limits::Reason;
use wattline_reading::{MeterInfo, Reading, Timestamp};
use wattline_service::postgres::{FromRow as _, read_column, read_rows};
use wattline_service::row;
use wattline_stream::Partition;

use crate::batch::{Content, Set};
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::session::Session;
use crate::write::clock::{self, Clock};
use crate::write::copy::Row;
use crate::write::habits::{Habits, Told};
pub(crate) use rules::Rules;
use seen::Seen;

const FIND: &str = include_str!("../sql/meter_find.sql");
const REGISTER: &str = include_str!("../sql/meter_register.sql");
const NEWEST: &str = include_str!("../sql/meter_newest.sql");
/// `last_seen` is written at most so often for each meter.
const SEEN_EVERY_US: i64 = 60_000_000;
/// Meters that the allow-list refused are remembered up to this number, so that they aren't asked for again.
const REFUSED_MAX: usize = 10_000;
/// Most meters in one statement.
const STATEMENT_METERS_MAX: usize = 5000;

/// What a writer knows of meters.
#[derive(Debug)]
pub(crate) struct Meters {
    known: HashMap<String, Meter>,
    refused: HashSet<String>,
    /// New ones of the batch for which there was no budget.
    over_budget: HashSet<String>,
    /// Those whose `last_seen` is to be written.
    seen_due: Vec<String>,
    /// The last [`Meters::resolve`] did not come to its end: some are known only by their keys.
    incomplete: bool,
    rules: Arc<Rules>,
    metrics: Metrics,
}

/// One known meter.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    /// Its key in the tables.
    pub(crate) key: i32,
    partition: Partition,
    newest: Newest,
    seen: Timestamp,
    seen_due: bool,
    clock: Clock,
    habits: Habits,
    /// What is to be written of it.
    info: Option<Box<MeterInfo>>,
}

row! {
    /// Of `meter_find.sql` and `meter_register.sql`.
    struct MeterRow<'row> {
        meter_id: &'row str,
        meter_key: i32,
        last_seen: DateTime<Utc>,
        expected_s: Option<i32>,
        resolution_mwh: Option<i64>,
    }
}

row! {
    /// Of `meter_newest.sql`.
    struct NewestRow {
        meter_key: i32,
        newest: Option<DateTime<Utc>>,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newest {
    Unknown,
    Nothing,
    At(Timestamp),
}

// === impl Meters ===

impl Meters {
    /// Knows nobody yet.
    #[must_use]
    pub(crate) fn new(rules: Arc<Rules>, metrics: Metrics) -> Self {
        Self {
            known: HashMap::new(),
            refused: HashSet::new(),
            over_budget: HashSet::new(),
            seen_due: Vec::new(),
            incomplete: false,
            rules,
            metrics,
        }
    }

    /// Makes all meters of the sets known: finds or registers them, in statements that are committed by themselves
    /// (a key that a rollback took back must never be remembered), and looks up what the table has of them. Those that may
    /// not be registered, or not now, stay unknown.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn resolve(&mut self, session: &mut Session, sets: &[Set]) -> Result<(), Failure> {
        if self.incomplete {
            self.known.retain(|_, meter| meter.newest != Newest::Unknown);
        }
        self.over_budget.clear();
        let unknown = self.unknown(sets);
        if unknown.is_empty() {
            return Ok(());
        }
        self.incomplete = true;
        let ids: Vec<&str> = unknown.keys().copied().collect();
        for ids in ids.chunks(STATEMENT_METERS_MAX) {
            let find = session.prepared(FIND).await?;
            let rows = session.client().query(&find, &[&ids]).await?;
            for row in read_rows::<MeterRow<'_>>(&rows)? {
                if let Some((partition, _)) = unknown.get(row.meter_id) {
                    self.insert(&row, *partition, Newest::Unknown);
                }
            }
        }
        let missing: BTreeMap<_, _> =
            unknown.into_iter().filter(|(id, _)| !self.known.contains_key(*id)).collect();
        self.register(session, missing).await?;
        self.look_up_newest(session).await?;
        self.incomplete = false;
        self.metrics.meters_known.set(i64::try_from(self.known.len()).unwrap_or(i64::MAX));
        Ok(())
    }

    /// The meter of a reading.
    ///
    /// # Errors
    /// Why it is not registered.
    pub(crate) fn get(&mut self, reading: &Reading) -> Result<&Meter, (Reason, String)> {
        let id = &reading.meter_id;
        let Some(meter) = self.known.get_mut(id) else {
            return Err(if self.over_budget.contains(id) {
                let detail = format!(
                    "{id} is new, and more new meters came at once than {}",
                    self.rules.budget_of(id)
                );
                (Reason::MeterBudget, detail)
            } else {
                (Reason::MeterRefused, format!("the meter {id} is not in the allow-list (meters.allow_file)"))
            });
        };
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
        Ok(meter)
    }

    /// Rows have been committed, in the order of their keys.
    pub(crate) fn stored(&mut self, rows: &[Row<'_>]) {
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
    pub(crate) async fn write_seen(&mut self, session: &mut Session) -> Result<(), Failure> {
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
                self.metrics.clock(clock::class(offset_ms));
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
    pub(crate) fn forget(&mut self) {
        *self = Self::new(Arc::clone(&self.rules), self.metrics.clone());
    }

    /// Forgets the meters of partitions that are no longer kept: someone else may write them now.
    pub(crate) fn retain(&mut self, keep: impl Fn(Partition) -> bool) {
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
    ) -> Result<(), Failure> {
        if self.refused.len() > REFUSED_MAX {
            self.refused.clear();
        }
        let Self { rules, refused, .. } = self;
        missing.retain(|id, _| {
            let allow = rules.allow(id);
            if !allow {
                refused.insert((*id).to_owned());
            }
            allow
        });
        self.over_budget = self.rules.over_budget(missing.keys().copied(), Instant::now());
        self.metrics.meters_over_budget.inc_by(self.over_budget.len() as u64);
        let granted: Vec<_> = missing.iter().filter(|(id, _)| !self.over_budget.contains(**id)).collect();
        for chunk in granted.chunks(STATEMENT_METERS_MAX) {
            let ids: Vec<&str> = chunk.iter().map(|(id, _)| **id).collect();
            let seen: Vec<DateTime<Utc>> = chunk.iter().map(|(_, (_, at))| at.to_chrono()).collect();
            let register = session.prepared(REGISTER).await?;
            for row in session.client().query(&register, &[&ids, &seen]).await? {
                let is_new: bool = read_column(&row, "is_new")?;
                let row = MeterRow::from_row(&row)?;
                // Of a meter that was made just now the table has nothing.
                let newest = if is_new { Newest::Nothing } else { Newest::Unknown };
                self.metrics.meters_registered.inc_by(u64::from(is_new));
                if let Some((partition, _)) = missing.get(row.meter_id) {
                    self.insert(&row, *partition, newest);
                }
            }
        }
        Ok(())
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
            let rows = session.client().query(&statement, &[&keys]).await?;
            for NewestRow { meter_key, newest } in read_rows(&rows)? {
                if let Some(meter) = wanted.get_mut(&meter_key) {
                    meter.newest = newest.map_or(Newest::Nothing, |newest| Newest::At(newest.into()));
                }
            }
        }
        Ok(())
    }

    fn insert(&mut self, row: &MeterRow<'_>, partition: Partition, newest: Newest) {
        let told = Told { expected_s: row.expected_s, resolution_mwh: row.resolution_mwh };
        let meter = Meter {
            key: row.meter_key,
            partition,
            newest,
            seen: row.last_seen.into(),
            seen_due: false,
            clock: Clock::default(),
            habits: Habits::new(told),
            info: None,
        };
        self.known.insert(row.meter_id.to_owned(), meter);
    }
}

// === impl Meter ===

impl Meter {
    /// True where the table has nothing of this instant, nor of a later one.
    #[must_use]
    pub(crate) fn is_newer(&self, ts: Timestamp) -> bool {
        match self.newest {
            Newest::Unknown => false,
            Newest::Nothing => true,
            Newest::At(newest) => ts > newest,
        }
    }
}
