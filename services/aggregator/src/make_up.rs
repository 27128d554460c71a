//! Records that nobody can read any more: what they changed is not known, so all meters of their partition are recomputed,
//! each from its first row to its last.

use tokio_postgres::{Error, GenericClient};
use wattline_reading::partition;
use wattline_service::postgres::read_rows;
use wattline_service::row;

row! {
    /// Of `lost_meters.sql`.
    struct MeterRow<'row> {
        meter_key: i32,
        meter_id: &'row str,
    }
}

/// Notes it in the table `recompute`, in the open transaction; gives the number of meters.
///
/// # Errors
/// What the server says.
pub async fn make_up(transaction: &impl GenericClient, number: i32, partitions: i32) -> Result<u64, Error> {
    let rows = transaction.query(include_str!("sql/lost_meters.sql"), &[]).await?;
    let mut keys: Vec<i32> = Vec::new();
    for MeterRow { meter_key, meter_id } in read_rows(&rows)? {
        if partition::of_key(meter_id.as_bytes(), partitions) == number {
            keys.push(meter_key);
        }
    }
    transaction.execute(include_str!("sql/lost_recompute.sql"), &[&keys]).await
}
