//! The SQL of a computing connection, prepared once for each.

use tokio_postgres::{Client, Statement};
use wattline_energy::Register;

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Statements {
    /// Buckets that start before this are final.
    pub(crate) border: Statement,
    /// The keys of meters.
    pub(crate) keys: Statement,
    around_import: Statement,
    around_export: Statement,
    edges_import: Statement,
    edges_export: Statement,
    /// Raw rows.
    pub(crate) rows: Statement,
    /// Stored buckets.
    pub(crate) stored: Statement,
    /// Write buckets.
    pub(crate) upsert: Statement,
    /// Delete buckets of which nothing is known any more.
    pub(crate) delete: Statement,
    /// Write marks to the table `recompute`.
    pub(crate) spill: Statement,
    /// How many rows that table has.
    pub(crate) count: Statement,
}

// === impl Statements ===

impl Statements {
    /// Prepares them, and the session for them.
    ///
    /// # Errors
    /// Where the database refuses one: its schema is another one, or a right is missing.
    pub(crate) async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        client.batch_execute(include_str!("sql/session_exclusion.sql")).await?;
        let of = |sql: &str, register| sql.replace("{register}", column(register));
        let (around, edges) = (include_str!("sql/around.sql"), include_str!("sql/audit_edges.sql"));
        Ok(Self {
            border: client.prepare(include_str!("sql/border.sql")).await?,
            keys: client.prepare(include_str!("sql/meter_keys.sql")).await?,
            around_import: client.prepare(&of(around, Register::Import)).await?,
            around_export: client.prepare(&of(around, Register::Export)).await?,
            edges_import: client.prepare(&of(edges, Register::Import)).await?,
            edges_export: client.prepare(&of(edges, Register::Export)).await?,
            rows: client.prepare(include_str!("sql/raw_rows.sql")).await?,
            stored: client.prepare(include_str!("sql/bucket_stored.sql")).await?,
            upsert: client.prepare(include_str!("sql/bucket_upsert.sql")).await?,
            delete: client.prepare(include_str!("sql/bucket_delete.sql")).await?,
            spill: client.prepare(include_str!("sql/spill.sql")).await?,
            count: client.prepare(include_str!("sql/recompute_count.sql")).await?,
        })
    }

    /// The statement that finds the readings around changed rows.
    pub(crate) const fn around(&self, register: Register) -> &Statement {
        match register {
            Register::Import => &self.around_import,
            Register::Export => &self.around_export,
        }
    }

    /// The statement that finds the readings next to a range.
    pub(crate) const fn edges(&self, register: Register) -> &Statement {
        match register {
            Register::Import => &self.edges_import,
            Register::Export => &self.edges_export,
        }
    }
}

/// The column of table `reading`.
const fn column(register: Register) -> &'static str {
    match register {
        Register::Import => "energy_import_wh",
        Register::Export => "energy_export_wh",
    }
}
