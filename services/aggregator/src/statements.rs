//! The SQL of a recomputation, prepared once per connection.

use tokio_postgres::{Client, Statement};
use wattline_energy::Register;

/// All of it.
#[derive(Clone, Debug)]
pub struct Statements {
    /// Buckets that start before this are final.
    pub line: Statement,
    /// The keys of meters.
    pub keys: Statement,
    /// The readings of the import register around changed rows.
    pub around_import: Statement,
    /// Those of the export register.
    pub around_export: Statement,
    /// Raw rows.
    pub rows: Statement,
    /// Stored buckets.
    pub stored: Statement,
    /// Write buckets.
    pub upsert: Statement,
    /// Delete buckets of which nothing is known any more.
    pub delete: Statement,
    /// Write marks to the table `recompute`.
    pub spill: Statement,
}

const LINE: &str = "SELECT border FROM retention_border";

const KEYS: &str = "SELECT meter_id, meter_key FROM meter WHERE meter_id = ANY($1)";

/// A search for one meter's neighbour would weigh each chunk's constraint anew, in ten times the time that it takes to
/// find nothing in the chunk's index. The statements' own bounds leave chunks out once, when they start.
const SETTINGS: &str = "SET timescaledb.enable_runtime_exclusion = off";

/// Around changed rows: the readings next to them, and those next to the quarter-hours that they touch. A range without
/// a reading of the register touches nothing of it and gives no row. `OFFSET 0` keeps that from being found out again for
/// each neighbour.
const AROUND: &str = "
SELECT m.place, p.ts, n.ts, e.ts, e.wh, f.ts, f.wh
FROM unnest($1::int[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::bool[])
     AS m(place, meter_key, first_ts, last_ts, always)
CROSS JOIN LATERAL (
    SELECT m.always OR EXISTS (
        SELECT FROM reading r WHERE r.meter_key = m.meter_key AND r.ts >= $7
        AND r.ts BETWEEN m.first_ts AND m.last_ts AND r.COLUMN IS NOT NULL) AS touched OFFSET 0) t
LEFT JOIN LATERAL (
    SELECT r.ts FROM reading r WHERE t.touched AND r.meter_key = m.meter_key AND r.ts >= $7
    AND r.ts < m.first_ts AND r.ts >= m.first_ts - make_interval(secs => $6) AND r.COLUMN IS NOT NULL
    ORDER BY r.ts DESC LIMIT 1) p ON true
LEFT JOIN LATERAL (
    SELECT r.ts FROM reading r WHERE t.touched AND r.meter_key = m.meter_key AND r.ts >= $7
    AND r.ts > m.last_ts AND r.ts <= m.last_ts + interval '35 days' AND r.COLUMN IS NOT NULL
    ORDER BY r.ts LIMIT 1) n ON true
CROSS JOIN LATERAL (
    SELECT date_bin('15 minutes', coalesce(p.ts, m.first_ts), 'epoch') AS begins,
           date_bin('15 minutes', coalesce(n.ts - interval '1 us', m.last_ts), 'epoch')
               + interval '15 minutes' AS ends) b
LEFT JOIN LATERAL (
    SELECT r.ts, r.COLUMN AS wh FROM reading r WHERE t.touched AND r.meter_key = m.meter_key AND r.ts >= $7
    AND r.ts < b.begins AND r.ts >= b.begins - make_interval(secs => $6) AND r.COLUMN IS NOT NULL
    ORDER BY r.ts DESC LIMIT 1) e ON true
LEFT JOIN LATERAL (
    SELECT r.ts, r.COLUMN AS wh FROM reading r WHERE t.touched AND r.meter_key = m.meter_key AND r.ts >= $7
    AND r.ts >= b.ends AND r.ts <= b.ends + interval '35 days' AND r.COLUMN IS NOT NULL
    ORDER BY r.ts LIMIT 1) f ON true
WHERE t.touched";

const ROWS: &str = "
SELECT m.place, r.ts, r.energy_import_wh, r.energy_export_wh, r.power_w
FROM unnest($1::int[], $2::int[], $3::timestamptz[], $4::timestamptz[]) AS m(place, meter_key, from_ts, to_ts)
CROSS JOIN LATERAL (
    SELECT r.ts, r.energy_import_wh, r.energy_export_wh, r.power_w FROM reading r
    WHERE r.meter_key = m.meter_key AND r.ts >= m.from_ts AND r.ts < m.to_ts AND r.ts >= $5 AND r.ts < $6
    ORDER BY r.ts) r";

const STORED: &str = "
SELECT m.place, e.bucket, e.import_wh, e.export_wh, e.import_coverage_ms, e.export_coverage_ms,
       e.import_quality, e.export_quality, e.power_min_w, e.power_avg_w, e.power_max_w, e.reading_count
FROM unnest($1::int[], $2::int[], $3::timestamptz[], $4::timestamptz[]) AS m(place, meter_key, from_ts, to_ts)
CROSS JOIN LATERAL (
    SELECT e.* FROM energy_15m e
    WHERE e.meter_key = m.meter_key AND e.bucket >= m.from_ts AND e.bucket < m.to_ts
    AND e.bucket >= $5 AND e.bucket < $6) e";

/// Lists of lists can't be unnested: coverage comes as eight columns, quality as words between commas.
const UPSERT: &str = "
INSERT INTO energy_15m (meter_key, bucket, import_wh, export_wh, import_coverage_ms, export_coverage_ms,
    import_quality, export_quality, power_min_w, power_avg_w, power_max_w, reading_count)
SELECT meter_key, bucket, import_wh, export_wh, ARRAY[i1, i2, i3, i4], ARRAY[e1, e2, e3, e4],
    string_to_array(iq, ','), string_to_array(eq, ','), power_min_w, power_avg_w, power_max_w, reading_count
FROM unnest($1::int[], $2::timestamptz[], $3::float8[], $4::float8[],
    $5::int[], $6::int[], $7::int[], $8::int[], $9::int[], $10::int[], $11::int[], $12::int[],
    $13::text[], $14::text[], $15::float8[], $16::float8[], $17::float8[], $18::int[])
    AS u(meter_key, bucket, import_wh, export_wh, i1, i2, i3, i4, e1, e2, e3, e4, iq, eq,
         power_min_w, power_avg_w, power_max_w, reading_count)
ON CONFLICT (meter_key, bucket) DO UPDATE SET
    import_wh = excluded.import_wh, export_wh = excluded.export_wh,
    import_coverage_ms = excluded.import_coverage_ms, export_coverage_ms = excluded.export_coverage_ms,
    import_quality = excluded.import_quality, export_quality = excluded.export_quality,
    power_min_w = excluded.power_min_w, power_avg_w = excluded.power_avg_w, power_max_w = excluded.power_max_w,
    reading_count = excluded.reading_count";

const DELETE: &str = "DELETE FROM energy_15m e USING unnest($1::int[], $2::timestamptz[]) AS u(meter_key, bucket) \
     WHERE e.meter_key = u.meter_key AND e.bucket = u.bucket";

/// A range that a row already holds is not written twice: nobody but us, the owner, works that row off.
const SPILL: &str = "
INSERT INTO recompute (meter_key, from_ts, to_ts, reason)
SELECT s.meter_key, s.from_ts, s.to_ts, 'spill'
FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) AS s(meter_key, from_ts, to_ts)
WHERE NOT EXISTS (SELECT FROM recompute r WHERE r.meter_key = s.meter_key
    AND r.from_ts <= s.from_ts AND r.to_ts >= s.to_ts)";

// === impl Statements ===

impl Statements {
    /// Prepares them, and the session for them.
    ///
    /// # Errors
    /// Where the database refuses one: its schema is another one, or a right is missing.
    pub async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        client.batch_execute(SETTINGS).await?;
        Ok(Self {
            line: client.prepare(LINE).await?,
            keys: client.prepare(KEYS).await?,
            around_import: client.prepare(&AROUND.replace("COLUMN", "energy_import_wh")).await?,
            around_export: client.prepare(&AROUND.replace("COLUMN", "energy_export_wh")).await?,
            rows: client.prepare(ROWS).await?,
            stored: client.prepare(STORED).await?,
            upsert: client.prepare(UPSERT).await?,
            delete: client.prepare(DELETE).await?,
            spill: client.prepare(SPILL).await?,
        })
    }

    /// The statement that finds the readings around changed rows.
    #[must_use]
    pub const fn around(&self, register: Register) -> &Statement {
        match register {
            Register::Import => &self.around_import,
            Register::Export => &self.around_export,
        }
    }
}
