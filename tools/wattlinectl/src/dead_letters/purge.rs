//! Purge: deletes letters, some at a time, so that no transaction is long.

use tokio_postgres::Client;

use super::filter::Filter;
use super::{explain, query};

const STATEMENT_LETTERS_MAX: i64 = 10_000;

/// How many letters a purge would delete.
///
/// # Errors
/// What the server says, with what to do.
pub async fn would_delete(client: &Client, filter: &Filter) -> anyhow::Result<i64> {
    let wanted = filter.wanted();
    let sql = format!("SELECT count(*) FROM dead_letter {}", wanted.clause());
    let rows = query(client, &sql, &wanted).await?;
    Ok(rows.first().map_or(0, |row| row.get(0)))
}

/// Deletes letters, and says how many; one that a replay holds at this moment stays.
///
/// # Errors
/// What the server says, with what to do. What was deleted until then is deleted.
pub async fn purge(client: &Client, filter: &Filter) -> anyhow::Result<u64> {
    let mut wanted = filter.wanted();
    let clause = wanted.clause();
    let place = wanted.value(STATEMENT_LETTERS_MAX);
    let sql = format!(
        "DELETE FROM dead_letter WHERE (source_topic, source_partition, source_offset) IN \
         (SELECT source_topic, source_partition, source_offset FROM dead_letter {clause} \
         LIMIT {place} FOR UPDATE SKIP LOCKED)"
    );
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
