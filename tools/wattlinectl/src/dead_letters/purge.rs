//! Purge: deletes letters, some at a time, so that no transaction is long.

use tokio_postgres::Client;
use wattline_service::row;

use super::filter::Filter;
use super::{explain, query};

const STATEMENT_LETTERS_MAX: i64 = 10_000;

row! {
    struct Count {
        letters: i64,
    }
}

/// How many letters a purge would delete.
///
/// # Errors
/// What the server says, with what to do.
pub async fn would_delete(client: &Client, filter: &Filter) -> anyhow::Result<i64> {
    let wanted = filter.wanted();
    let sql = wanted.conditioned(include_str!("../sql/dead_letters/count.sql"));
    let counts: Vec<Count> = query(client, &sql, &wanted).await?;
    Ok(counts.first().map_or(0, |count| count.letters))
}

/// Deletes letters, and says how many; one that a replay holds at this moment stays.
///
/// # Errors
/// What the server says, with what to do. What was deleted until then is deleted.
pub async fn purge(client: &Client, filter: &Filter) -> anyhow::Result<u64> {
    let mut wanted = filter.wanted();
    let sql = wanted.limited(include_str!("../sql/dead_letters/purge.sql"), STATEMENT_LETTERS_MAX);
    let mut deleted = 0;
    loop {
        let some = client.execute(&sql, &wanted.values()).await;
        let some = some.map_err(|error| explain(&format!("deleted {deleted} letters, then"), &error))?;
        deleted += some;
        if some == 0 {
            return Ok(deleted);
        }
    }
}
