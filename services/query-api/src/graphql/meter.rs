//! Meters: the registry, and the way to everything that one meter has.

use std::collections::HashMap;

use async_graphql::connection::{Connection, Edge, EmptyFields};
use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use wattline_energy::Rules;
use wattline_energy::derived::{Asked, derived_power_mw};
use wattline_reading::{Timestamp, register};

use super::energy::{self, EnergyInterval, EnergySeries};
use super::reading::{self, Reading, ReadingConnection, ReadingPage};
use super::watch::{count_points, count_rows};
use super::{DATABASE_COST, page_cost, page_rows};
use crate::config::LimitSettings;
use crate::error::{ApiError, Result};
use crate::store::{MeterRow, Store};

/// Pages of meters; the cursor is the meter's id.
pub(super) type MeterConnection = Connection<String, Meter, EmptyFields, EmptyFields>;

/// What is asked of meters.
#[derive(Debug, Default)]
pub struct MeterQuery;

/// One measuring point.
#[derive(Debug)]
pub(super) struct Meter {
    row: MeterRow,
    /// Loaded along with a page of meters, where it was asked for.
    latest: Option<Option<Reading>>,
}

const SEARCH_CHARS_MAX: usize = 128;

// === impl MeterQuery ===

#[Object]
impl MeterQuery {
    /// The meter of this id; null where there is none.
    #[graphql(complexity = "DATABASE_COST + child_complexity")]
    async fn meter(&self, ctx: &Context<'_>, id: ID) -> async_graphql::Result<Option<Meter>> {
        let row = ctx.data::<Store>()?.meter(&id).await?;
        count_rows(ctx, usize::from(row.is_some()));
        Ok(row.map(|row| Meter { row, latest: None }))
    }

    /// Meters by id, a page at a time.
    #[graphql(complexity = "page_cost(first, child_complexity)")]
    async fn meters(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only meters with this text in their id, in any case.", default)] search: String,
        #[graphql(desc = "How many.", default = 20)] first: i32,
        #[graphql(desc = "Those after this cursor.")] after: Option<String>,
    ) -> async_graphql::Result<MeterConnection> {
        let rows = page_rows(ctx.data()?, "first", first)?;
        if search.chars().count() > SEARCH_CHARS_MAX {
            let text = format!("`search` is too long: at most {SEARCH_CHARS_MAX} characters");
            return Err(ApiError::BadInput(text).into());
        }
        let store = ctx.data::<Store>()?;
        let page = store.meters(&search, &after.unwrap_or_default(), rows).await?;
        count_rows(ctx, page.rows.len());
        let look = ctx.look_ahead();
        let wants_latest = look.field("nodes").field("latest").exists()
            || look.field("edges").field("node").field("latest").exists();
        let mut latest = if wants_latest { Some(store.latest(&page.rows).await?) } else { None };
        count_rows(ctx, latest.as_ref().map_or(0, HashMap::len));
        let mut connection = Connection::new(page.has_previous, page.has_next);
        connection.edges.extend(page.rows.into_iter().map(|row| {
            let latest = latest.as_mut().map(|latest| take(latest, row.key));
            Edge::new(row.id.clone(), Meter { row, latest })
        }));
        Ok(connection)
    }
}

fn take(latest: &mut HashMap<i32, wattline_reading::Reading>, key: i32) -> Option<Reading> {
    latest.remove(&key).as_ref().map(Reading::from)
}

// === impl Meter ===

/// One measuring point.
#[Object]
impl Meter {
    /// Its id, as it comes with its readings.
    async fn id(&self) -> ID {
        ID(self.row.id.clone())
    }

    /// When its first reading came.
    async fn first_seen(&self) -> DateTime<Utc> {
        self.row.first_seen
    }

    /// When a reading came last, to about a minute.
    async fn last_seen(&self) -> DateTime<Utc> {
        self.row.last_seen
    }

    /// How far its clock is off, in ms: arrival less the device's own time, the smallest of the last minutes. The
    /// delay of the way is in it, so some hundred ms are none; negative: the clock runs ahead. Null where its
    /// readings have no time of the device.
    async fn clock_offset_ms(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53; GraphQL's Int ends at 24 days")]
        self.row.clock_offset_ms.map(|offset_ms| offset_ms as f64)
    }

    /// When that was measured, to about a minute.
    async fn clock_measured_at(&self) -> Option<DateTime<Utc>> {
        self.row.clock_measured_at
    }

    /// Topic filter of the route that its messages come by; null until the pipeline told it.
    async fn route(&self) -> Option<&str> {
        self.row.route.as_deref()
    }

    /// The device family that decodes its messages; null until the pipeline told it.
    async fn family(&self) -> Option<&str> {
        self.row.family.as_deref()
    }

    /// The most that it can take or give, in W, where its route says so.
    async fn max_power_w(&self) -> Option<f64> {
        self.row.max_power_w
    }

    /// Usual distance of its readings in s: what is later is overdue. Null before there were enough of them.
    async fn expected_s(&self) -> Option<i32> {
        self.row.expected_s
    }

    /// After so many s without a reading it is silent: three usual distances (of 900 s each before one is known), at
    /// least two minutes.
    async fn silent_after_s(&self) -> i32 {
        i32::try_from(self.row.silent_after().num_seconds()).unwrap_or(i32::MAX)
    }

    /// Step of its import register in Wh, as a power of ten. Null before the register has moved often enough.
    async fn resolution_wh(&self) -> Option<f64> {
        self.row.resolution_wh
    }

    /// Its newest reading.
    async fn latest(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Reading>> {
        if let Some(latest) = &self.latest {
            return Ok(latest.clone());
        }
        let mut latest = ctx.data::<Store>()?.latest(std::slice::from_ref(&self.row)).await?;
        count_rows(ctx, latest.len());
        Ok(take(&mut latest, self.row.key))
    }

    /// Its power in W derived from its registers, where it sends none: the mean since they moved last, import less
    /// export. To be shown, and as what it is: it is stored nowhere and no energy is made of it. Null where power is
    /// sent, where the registers are older than three usual distances, and where they don't tell.
    #[graphql(complexity = "DATABASE_COST + child_complexity")]
    async fn derived_power_w(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<f64>> {
        Ok(derived_power_w(ctx.data()?, &self.row, Timestamp::now().to_chrono()).await?)
    }

    /// Its raw readings in order of time, a page at a time: forward with `first` and `after`, backward with
    /// `last` and `before`.
    #[graphql(complexity = "page_cost(first.or(last).unwrap_or(reading::PAGE_ROWS), child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn readings(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Readings at or after this instant.")] from: Option<DateTime<Utc>>,
        #[graphql(desc = "Readings before this instant.")] to: Option<DateTime<Utc>>,
        #[graphql(desc = "The first so many of the range; 100 where neither is given.")] first: Option<i32>,
        #[graphql(desc = "Those after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many of the range.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<ReadingConnection> {
        let page =
            ReadingPage::parse(ctx.data::<LimitSettings>()?, from, to, (first, after), (last, before))?;
        let page = reading::page(ctx.data()?, &self.row, page).await?;
        count_rows(ctx, page.edges.len());
        Ok(page)
    }

    /// Its energy per quarter-hour or hour of a time zone. Buckets without data are there, with nulls.
    #[graphql(complexity = "energy::cost(from, to, interval, child_complexity)")]
    async fn energy(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first bucket is the one that holds this instant.")] from: DateTime<Utc>,
        #[graphql(desc = "The last bucket is the one before this instant.")] to: DateTime<Utc>,
        #[graphql(desc = "Width of the buckets.")] interval: EnergyInterval,
        #[graphql(desc = "IANA name of the zone for hours and labels.", default_with = "\"UTC\".to_owned()")]
        time_zone: String,
    ) -> async_graphql::Result<EnergySeries> {
        let grid = energy::grid(ctx.data::<LimitSettings>()?, (from, to), interval, &time_zone)?;
        count_points(ctx, grid.slots.len());
        Ok(energy::load(ctx.data()?, &self.row, grid, time_zone, Timestamp::now().to_chrono()).await?)
    }
}

async fn derived_power_w(store: &Store, meter: &MeterRow, now: DateTime<Utc>) -> Result<Option<f64>> {
    let rows = store.register_rows(meter, now).await?;
    let asked = Asked {
        now_us: now.timestamp_micros(),
        age_us_max: meter.current().num_microseconds().unwrap_or(i64::MAX),
        resolution_mwh: meter.resolution_wh.map(register::from_wh),
    };
    // mW to W is the same step as mWh to Wh.
    Ok(derived_power_mw(&rows, &asked, &Rules::default()).map(register::to_wh))
}

/// The meter of this id, or the error that there is none.
pub(super) async fn find(store: &Store, id: &str) -> Result<MeterRow> {
    store.meter(id).await?.ok_or_else(|| {
        ApiError::NotFound(format!("there is no meter {id:?}: `meters(search: …)` lists them; a new one appears with its first stored reading"))
    })
}
