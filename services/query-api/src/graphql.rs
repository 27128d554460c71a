//! The GraphQL schema: a subject a module, its types and thin resolvers: check, load, map.

mod codes;
mod energy;
mod live;
mod meter;
mod order;
mod reading;
mod rules;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{EmptyMutation, Object, Schema};
use chrono::{DateTime, Utc};
use wattline_reading::Timestamp;

use crate::config::{Config, LimitSettings};
use crate::error::{ApiError, Result};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::store::Store;

pub(crate) use live::Subscriber;
pub use live::SubscriptionRoot;
pub use meter::MeterQuery;

/// The schema.
pub type ApiSchema = Schema<QueryRoot, EmptyMutation, SubscriptionRoot>;

/// What can be asked.
#[derive(Debug, Default, async_graphql::MergedObject)]
#[graphql(name = "Query")]
pub struct QueryRoot(ServerQuery, MeterQuery);

/// What is asked of the server itself.
#[derive(Debug, Default)]
pub struct ServerQuery;

/// Cost of a question to the database, next to its fields.
pub(crate) const DATABASE_COST: usize = 10;
/// The greatest page that the cost of a query reckons with; greater ones are refused anyway.
const COUNTED_ROWS_MAX: i32 = 100_000;

/// Builds the schema over a store and the live feed.
#[must_use]
pub fn schema(config: &Config, store: Store, live: Arc<Live>, metrics: Metrics) -> ApiSchema {
    let limits = &config.limits;
    let timeout = Duration::from_millis(limits.query_timeout_ms);
    let codes = codes::Codes {
        depth_max: limits.depth_max,
        complexity_max: limits.complexity_max,
        introspection: config.http.development,
    };
    // The first extension is the outermost: what comes from the others has passed it.
    let mut builder = Schema::build(QueryRoot::default(), EmptyMutation, SubscriptionRoot)
        .limit_directives(10)
        .extension(codes)
        .extension(order::Orders)
        .extension(watch::Watches::new(metrics, timeout))
        .data(limits.clone())
        .data(store)
        .data(live);
    if !config.http.development {
        builder = builder.disable_suggestions();
    }
    builder.finish()
}

/// The contract, as SDL.
#[must_use]
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new().sorted_fields();
    Schema::build(QueryRoot::default(), EmptyMutation, SubscriptionRoot).finish().sdl_with_options(options)
}

/// The size of a page: the asked one, at most the limit.
fn page_rows(limits: &LimitSettings, argument: &str, asked: i32) -> Result<u16> {
    if asked < 1 {
        return Err(ApiError::BadInput(format!(
            "`{argument}: {asked}` makes no page: it must be at least 1"
        )));
    }
    match u16::try_from(asked) {
        Ok(rows) if rows <= limits.page_rows_max => Ok(rows),
        _ => Err(ApiError::TooMuch(format!(
            "`{argument}: {asked}` is too many: at most {} a page, then go on with the cursor",
            limits.page_rows_max
        ))),
    }
}

/// What a page of `rows` costs.
fn page_cost(rows: i32, child_complexity: usize) -> usize {
    let rows = usize::try_from(rows.clamp(1, COUNTED_ROWS_MAX)).unwrap_or(1);
    rows.saturating_mul(child_complexity.max(1)).saturating_add(DATABASE_COST)
}

// === impl ServerQuery ===

#[Object]
impl ServerQuery {
    /// The server's clock: what "live" is measured against.
    async fn server_time(&self) -> DateTime<Utc> {
        Timestamp::now().to_chrono()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_refused_with_what_is_given() {
        let limits = LimitSettings { page_rows_max: 50, ..LimitSettings::default() };
        assert_eq!(page_rows(&limits, "first", 50), Ok(50));
        for (asked, code) in
            [(51, "LIMIT_EXCEEDED"), (i32::MAX, "LIMIT_EXCEEDED"), (0, "BAD_INPUT"), (-1, "BAD_INPUT")]
        {
            let error = page_rows(&limits, "recent", asked).unwrap_err();
            assert_eq!(error.code(), code, "{asked}");
            assert!(error.message().contains(&format!("`recent: {asked}`")), "{error:?}");
        }
    }

    #[test]
    fn no_page_costs_less_than_a_row_or_overflows() {
        assert_eq!(page_cost(20, 3), DATABASE_COST + 60);
        assert_eq!(page_cost(-5, 0), DATABASE_COST + 1);
        assert_eq!(page_cost(i32::MAX, usize::MAX / 2), usize::MAX);
    }

    #[test]
    fn the_contract_names_every_stream_and_no_mutation() {
        let sdl = sdl();
        assert!(sdl.contains("type Subscription") && sdl.contains("meterReadings("), "{sdl}");
        assert!(!sdl.contains("type Mutation"), "it only reads");
    }
}
