//! Live readings.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Interface, SimpleObject, Subscription as GraphqlSubscription};
use chrono::{DateTime, Utc};
use futures_util::{Stream, stream};

use super::reading::Reading;
use super::{DATABASE_COST, meter, page_rows};
use crate::error::ApiError;
use crate::live::{self, Cursor, Event, Live, Subscription};
use crate::store::Store;

/// Which WebSocket a stream belongs to: its number, in the data of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscriber(pub(crate) u64);

/// What can be followed.
#[derive(Debug, Default)]
pub struct SubscriptionRoot;

/// What a live stream brings.
#[derive(Debug, Interface)]
#[graphql(field(name = "cursor", ty = "&String", desc = "Goes on after this event, on any replica."))]
pub(super) enum LiveEvent {
    Snapshot(LiveSnapshot),
    Reading(LiveReading),
    Lagged(LiveLagged),
    HistoryChanged(LiveHistoryChanged),
    Heartbeat(LiveHeartbeat),
    Reset(LiveReset),
}

/// The newest stored readings; what follows comes after them, without a hole and without doubles.
#[derive(Debug, SimpleObject)]
pub(super) struct LiveSnapshot {
    /// In order of time.
    readings: Vec<Reading>,
    /// Goes on after this event, on any replica.
    cursor: String,
}

/// One reading. Each instant comes once, and again only as a merged whole.
#[derive(Debug, SimpleObject)]
pub(super) struct LiveReading {
    /// What was measured.
    reading: Reading,
    /// The meter has sent a newer one before.
    late: bool,
    /// It came before with fewer measures; this is the whole.
    merged: bool,
    /// Goes on after this event, on any replica.
    cursor: String,
}

/// Readings are missing here; query them.
#[derive(Debug, SimpleObject)]
pub(super) struct LiveLagged {
    /// How many, where it is known.
    lost: Option<i64>,
    /// Why.
    lag_reason: LiveLagReason,
    /// Goes on after this event, on any replica.
    cursor: String,
}

/// Readings came that are older than what this stream remembers: query this range again.
#[derive(Debug, SimpleObject)]
pub(super) struct LiveHistoryChanged {
    /// Event time of the oldest.
    from: DateTime<Utc>,
    /// Event time of the newest.
    to: DateTime<Utc>,
    /// Goes on after this event, on any replica.
    cursor: String,
}

/// The stream is alive. Where none comes for some intervals, it is not.
#[derive(Debug, SimpleObject)]
pub(super) struct LiveHeartbeat {
    /// The server's clock.
    at: DateTime<Utc>,
    /// False where the feed itself is behind or cut off: silence then does not mean that nothing happens.
    up_to_date: bool,
    /// Goes on after this event, on any replica.
    cursor: String,
}

/// What came before can't be continued: a snapshot follows.
#[derive(Debug, SimpleObject)]
pub(super) struct LiveReset {
    /// Why.
    reset_reason: LiveResetReason,
    /// The one that can't be continued: passed again it brings the snapshot again.
    cursor: String,
}

/// Why readings are missing in a live stream.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[graphql(remote = "live::LagReason")]
pub(super) enum LiveLagReason {
    /// The client took them too slowly: the oldest gave way.
    SlowSubscriber,
    /// The table is further behind than the live feed reaches back.
    StoreBehind,
}

/// Why a live stream begins anew.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[graphql(remote = "live::ResetReason")]
pub(super) enum LiveResetReason {
    /// The cursor is older than what is kept in memory.
    CursorTooOld,
    /// The cursor is of another meter, topic or cluster.
    CursorForeign,
    /// The feed itself began anew.
    FeedRestarted,
}

// === impl SubscriptionRoot ===

/// Live streams, over graphql-transport-ws.
#[GraphqlSubscription(name = "Subscription")]
impl SubscriptionRoot {
    /// A meter's readings as they come: first a snapshot, then each new one; with `after` from where an earlier
    /// stream ended, if that is not too long ago, else a reset and a snapshot.
    #[graphql(
        complexity = "DATABASE_COST + usize::try_from(recent).unwrap_or(0).min(1000) * child_complexity"
    )]
    async fn meter_readings<'ctx>(
        &self,
        ctx: &Context<'ctx>,
        #[graphql(desc = "The meter.")] meter_id: ID,
        #[graphql(desc = "How many of its newest readings the snapshot has.", default = 100)] recent: i32,
        #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
    ) -> async_graphql::Result<impl Stream<Item = async_graphql::Result<LiveEvent>> + use<>> {
        let recent = page_rows(ctx.data()?, "recent", recent)?;
        let after: Option<Cursor> = after
            .map(|text| text.parse())
            .transpose()
            .map_err(|error: live::BadCursor| ApiError::BadInput(format!("`after` is {error}")))?;
        let store = ctx.data::<Store>()?.clone();
        let live = Arc::clone(ctx.data::<Arc<Live>>()?);
        let meter = meter::find(&store, &meter_id).await?;
        let subscriber = ctx.data_opt::<Subscriber>().map_or(0, |subscriber| subscriber.0);
        let subscription = Subscription::begin(live, store, meter, recent, after, subscriber).await?;
        Ok(stream::unfold(Some(subscription), |subscription| async {
            let mut subscription = subscription?;
            match subscription.next().await {
                Ok((event, cursor)) => Some((Ok(LiveEvent::new(event, &cursor)), Some(subscription))),
                Err(error) => Some((Err(error.into()), None)),
            }
        }))
    }
}

// === impl LiveEvent ===

impl LiveEvent {
    fn new(event: Event, cursor: &Cursor) -> Self {
        let cursor = cursor.to_string();
        match event {
            Event::Snapshot(readings) => Self::Snapshot(LiveSnapshot {
                readings: readings.iter().map(|reading| Reading::from(&**reading)).collect(),
                cursor,
            }),
            Event::Reading { reading, late, merged } => {
                Self::Reading(LiveReading { reading: Reading::from(&*reading), late, merged, cursor })
            }
            Event::Lagged { lost, reason } => Self::Lagged(LiveLagged {
                lost: lost.map(|lost| i64::try_from(lost).unwrap_or(i64::MAX)),
                lag_reason: reason.into(),
                cursor,
            }),
            Event::HistoryChanged { from, to } => Self::HistoryChanged(LiveHistoryChanged {
                from: from.to_chrono(),
                to: to.to_chrono(),
                cursor,
            }),
            Event::Heartbeat { at, up_to_date } => {
                Self::Heartbeat(LiveHeartbeat { at: at.to_chrono(), up_to_date, cursor })
            }
            Event::Reset(reason) => Self::Reset(LiveReset { reset_reason: reason.into(), cursor }),
        }
    }
}
