//! Rows in PostgreSQL's binary COPY format. An encoder of our own: half the client's cost of the library's writer,
//! which sends a message for every 4 KiB.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::LazyLock;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::SinkExt;
use wattline_reading::{MEASURES, Measures, PHASE_MEASURES, Phase, Reading, measures};

use crate::failure::Failure;
use crate::session::Session;

/// A row: the meter's key, and the reading.
pub(crate) type Row<'a> = (i32, Cow<'a, Reading>);

static INTO_READING: LazyLock<String> = LazyLock::new(|| copy_into("reading"));
static INTO_STAGING: LazyLock<String> = LazyLock::new(|| copy_into("wattline_staging"));
static UPSERT: LazyLock<String> = LazyLock::new(|| {
    let of_measures: Vec<String> =
        measures::columns().map(|name| format!("{name} = excluded.{name}")).collect();
    include_str!("../sql/reading_upsert.sql").replace("{excluded_measures}", &of_measures.join(", "))
});

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "some dozens")]
const COLUMN_COUNT: i16 = (5 + MEASURES.len() + PHASE_MEASURES.len()) as i16;
/// What is sent at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// Above the longest row: three arrays of three, the others of 8 bytes and their length.
const ROW_BYTES_MAX: usize = 512;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// PostgreSQL counts from 2000.
const EPOCH_2000_US: i64 = 946_684_800_000_000;
const FLOAT8_OID: u32 = 701;

/// Rows that the table doesn't have.
///
/// # Errors
/// What the server says, 23505 for a row that is there already.
pub(crate) async fn insert(session: &mut Session, rows: &[Row<'_>]) -> Result<(), Failure> {
    if !rows.is_empty() {
        copy_in(session, &INTO_READING, &[rows]).await?;
    }
    Ok(())
}

/// Rows with all their values as they shall be; those that the table has get what was missing in it.
///
/// # Errors
/// What the server says.
pub(crate) async fn upsert(session: &mut Session, rows: &[&[Row<'_>]]) -> Result<(), Failure> {
    if rows.iter().all(|rows| rows.is_empty()) {
        return Ok(());
    }
    copy_in(session, &INTO_STAGING, rows).await?;
    let statement = session.prepared(&UPSERT).await?;
    session.client().execute(&statement, &[]).await?;
    Ok(())
}

/// Sends rows, several lists of them one after the other.
async fn copy_in(session: &mut Session, into: &'static str, rows: &[&[Row<'_>]]) -> Result<(), Failure> {
    let statement = session.prepared(into).await?;
    let mut sink = pin!(session.client().copy_in::<_, Bytes>(&statement).await?);
    let mut buffer = BytesMut::with_capacity(CHUNK_BYTES + ROW_BYTES_MAX);
    put_header(&mut buffer);
    for list in rows {
        for (meter_key, reading) in *list {
            put_row(&mut buffer, *meter_key, reading);
            if buffer.len() >= CHUNK_BYTES {
                sink.send(buffer.split().freeze()).await?;
                // The buffer's memory is taken again once the chunk has left.
                buffer.reserve(CHUNK_BYTES + ROW_BYTES_MAX);
            }
        }
    }
    buffer.put_i16(-1);
    sink.send(buffer.freeze()).await?;
    sink.finish().await?;
    Ok(())
}

fn copy_into(table: &str) -> String {
    include_str!("../sql/reading_copy.sql")
        .replace("{table}", table)
        .replace("{measures}", &measures::column_list())
}

fn put_header(out: &mut BytesMut) {
    out.put_slice(SIGNATURE);
    // Flags, and the length of the header's extension.
    out.put_i32(0);
    out.put_i32(0);
}

fn put_row(out: &mut BytesMut, meter_key: i32, reading: &Reading) {
    out.put_i16(COLUMN_COUNT);
    out.put_i32(4);
    out.put_i32(meter_key);
    put_time(out, reading.ts.micros());
    put_time(out, reading.received_at.micros());
    put_text(out, reading.ts_source.as_str());
    put_measures(out, &reading.measures);
    match reading.register_epoch {
        Some(epoch) => put_time(out, epoch.micros()),
        None => out.put_i32(-1),
    }
}

fn put_measures(out: &mut BytesMut, measures: &Measures) {
    for measure in &MEASURES {
        put_float(out, (measure.get)(measures));
    }
    for measure in &PHASE_MEASURES {
        put_phases(out, &measures.phases, measure.get);
    }
}

fn put_time(out: &mut BytesMut, micros: i64) {
    out.put_i32(8);
    out.put_i64(micros - EPOCH_2000_US);
}

fn put_text(out: &mut BytesMut, text: &'static str) {
    put_length(out, text.len());
    out.put_slice(text.as_bytes());
}

fn put_float(out: &mut BytesMut, value: Option<f64>) {
    match value {
        Some(value) => {
            out.put_i32(8);
            out.put_f64(value);
        }
        None => out.put_i32(-1),
    }
}

/// One array an aspect, all three of the same length; NULL where the meter says nothing of phases.
fn put_phases(out: &mut BytesMut, phases: &[Phase], of: impl Fn(&Phase) -> Option<f64>) {
    const HEADER_BYTES: usize = 20;
    if phases.is_empty() {
        return out.put_i32(-1);
    }
    let values = phases.iter().map(&of);
    let value_bytes: usize = values.clone().map(|value| if value.is_some() { 12 } else { 4 }).sum();
    let has_null = values.clone().any(|value| value.is_none());
    put_length(out, HEADER_BYTES + value_bytes);
    // One dimension, whether there are nulls, the type; then how many, counted from 1.
    out.put_i32(1);
    out.put_i32(i32::from(has_null));
    out.put_u32(FLOAT8_OID);
    put_length(out, phases.len());
    out.put_i32(1);
    for value in values {
        put_float(out, value);
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "lengths here are below 512")]
fn put_length(out: &mut BytesMut, length: usize) {
    out.put_i32(length as i32);
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
