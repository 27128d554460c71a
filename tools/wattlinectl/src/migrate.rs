//! Migrations: numbered, forward only, each in a transaction of its own; then roles and grants.
//!
//! An advisory lock makes two at once wait for each other. A migration that was changed after it was applied is
//! an error: write a new one.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use postgres_protocol::password::scram_sha_256;
use sha2::{Digest, Sha256};
use tokio_postgres::Client;
use wattline_service::postgres::{Trouble, describe, read_column, read_rows};
use wattline_service::{DatabaseSettings, row, secret};

/// One migration.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, 1, 2, 3…
    pub number: i32,
    /// Its name, as in its file's.
    pub name: &'static str,
    /// What it does.
    pub sql: &'static str,
}

macro_rules! migration {
    ($number:literal, $name:literal) => {
        Migration {
            number: $number,
            name: $name,
            sql: include_str!(concat!("../../../sql/migrations/", $name, ".sql")),
        }
    };
}

/// All migrations, in order; a test compares them with the folder.
pub const MIGRATIONS: &[Migration] = &[
    migration!(1, "0001_registry"),
    migration!(2, "0002_readings"),
    migration!(3, "0003_streams"),
    migration!(4, "0004_energy"),
    migration!(5, "0005_dead_letter_replay"),
    migration!(6, "0006_meter_clock"),
    migration!(7, "0007_dead_letter_broker"),
    migration!(8, "0008_sink_outcome"),
    migration!(9, "0009_soc"),
    migration!(10, "0010_registry"),
    migration!(11, "0011_offsets"),
    migration!(12, "0012_source_topic_id"),
    migration!(13, "0013_offset_decisions"),
];
const ROLES: &str = include_str!("../../../sql/roles.sql");
/// "wattline" in ASCII: the lock's number.
const LOCK: i64 = 0x7761_7474_6c69_6e65;

/// Whether a file could be applied.
enum Applied {
    Yes,
    /// Somebody holds a table.
    Locked,
}

/// How long tables that somebody holds are tried for.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(5);

row! {
    /// A migration that was applied.
    struct AppliedRow {
        number: i32,
        name: String,
        sha256: String,
    }
}

/// Brings the database at `url` to this version, without setting passwords; gives the numbers applied.
///
/// # Errors
/// As [`migrate`].
pub async fn run(url: &str) -> anyhow::Result<Vec<i32>> {
    let settings = DatabaseSettings { url: url.to_owned(), ..DatabaseSettings::default() };
    migrate(&settings, &[]).await
}

/// Brings the database to this version and sets the passwords of roles from files; gives the numbers applied.
///
/// # Errors
/// Where the database can't be reached, has no TimescaleDB, is newer than this version, or refuses a migration.
pub async fn migrate(
    settings: &DatabaseSettings,
    passwords: &[(String, PathBuf)],
) -> anyhow::Result<Vec<i32>> {
    let mut client = settings.connect("wattlinectl").await?;
    require_timescaledb(&client).await?;
    client
        .execute(include_str!("sql/migrate/lock.sql"), &[&LOCK])
        .await
        .context("cannot take the migration lock")?;
    let table = client.batch_execute(include_str!("sql/migrate/table.sql")).await;
    table.context("cannot create the table of migrations")?;
    let mut applied = Vec::new();
    for migration in pending(&client).await? {
        apply_patiently(&mut client, migration.name, migration.sql, Some(migration)).await?;
        applied.push(migration.number);
    }
    apply_patiently(&mut client, "roles.sql", ROLES, None).await?;
    for (role, file) in passwords {
        set_password(&client, role, &secret::read(file, "--role-password")?).await?;
    }
    let unlocked = client.execute(include_str!("sql/migrate/unlock.sql"), &[&LOCK]).await;
    unlocked.context("cannot release the lock")?;
    Ok(applied)
}

async fn require_timescaledb(client: &Client) -> anyhow::Result<()> {
    let available = client.query_opt(include_str!("sql/migrate/has_timescaledb.sql"), &[]).await;
    if available.context("cannot ask for extensions")?.is_none() {
        bail!(
            "this PostgreSQL has no TimescaleDB: install its package (postgresql-17-timescaledb, or the image \
             timescale/timescaledb), set shared_preload_libraries = 'timescaledb' and restart the server"
        );
    }
    let preloaded = client.query_one(include_str!("sql/migrate/preloaded.sql"), &[]).await;
    let preloaded = preloaded.and_then(|row| read_column::<String>(&row, "libraries"));
    let preloaded = preloaded.context("cannot read shared_preload_libraries")?;
    if !preloaded.contains("timescaledb") {
        bail!(
            "TimescaleDB is installed but not loaded: set shared_preload_libraries = 'timescaledb' in \
             postgresql.conf (it is {preloaded:?}) and restart the server"
        );
    }
    Ok(())
}

async fn pending(client: &Client) -> anyhow::Result<Vec<&'static Migration>> {
    let done = client.query(include_str!("sql/migrate/applied.sql"), &[]).await;
    let done = done.and_then(|rows| read_rows::<AppliedRow>(&rows));
    let done = done.context("cannot read the table of migrations")?;
    for AppliedRow { number, name, sha256 } in &done {
        let Some(migration) = MIGRATIONS.iter().find(|migration| migration.number == *number) else {
            bail!(
                "the database has migration {name}, which this wattlinectl doesn't know: it is newer, use its version"
            );
        };
        if checksum(migration.sql) != *sha256 {
            bail!("migration {name} was changed after it was applied: restore it, and write a new one");
        }
    }
    Ok(MIGRATIONS.iter().skip(done.len()).collect())
}

/// Whoever waits for a table's lock makes all wait who come after, readers too. So each try waits shortly, and lets the
/// others through before the next: behind a dump, a migration takes as long as that, and nothing else stands.
async fn apply_patiently(
    client: &mut Client,
    name: &str,
    sql: &str,
    noted: Option<&Migration>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match apply(client, name, sql, noted).await? {
            Applied::Yes => return Ok(()),
            Applied::Locked if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            Applied::Locked => bail!(
                "{name} needs a table that somebody has held for {} minutes: a dump, a long query, an open \
                 transaction. Nothing of it was changed; end that (SELECT pid, application_name, xact_start, query FROM \
                 pg_stat_activity ORDER BY xact_start), and repeat the command",
                PATIENCE.as_secs() / 60
            ),
        }
    }
}

async fn apply(
    client: &mut Client,
    name: &str,
    sql: &str,
    noted: Option<&Migration>,
) -> anyhow::Result<Applied> {
    let transaction = client.transaction().await.context("cannot begin")?;
    transaction.batch_execute(include_str!("sql/migrate/lock_timeout.sql")).await.context("cannot begin")?;
    match transaction.batch_execute(sql).await {
        Ok(()) => {}
        Err(error) if Trouble::of(&error) == Trouble::Locked => return Ok(Applied::Locked),
        Err(error) => bail!("{name} failed: {}", describe(&error)),
    }
    if let Some(migration) = noted {
        let note = include_str!("sql/migrate/note.sql");
        let note = transaction.execute(note, &[&migration.number, &name, &checksum(sql)]).await;
        note.context("cannot note the migration")?;
    }
    transaction.commit().await.with_context(|| format!("cannot commit {name}"))?;
    Ok(Applied::Yes)
}

/// The server gets a SCRAM verifier, never the password: a statement may be logged.
async fn set_password(client: &Client, role: &str, password: &str) -> anyhow::Result<()> {
    let verifier = scram_sha_256(password.as_bytes());
    let statement = client
        .query_one(include_str!("sql/migrate/password.sql"), &[&role, &verifier])
        .await
        .and_then(|row| read_column::<String>(&row, "statement"))
        .context("cannot prepare the password")?;
    let outcome = client.batch_execute(&statement).await;
    outcome.map_err(|error| anyhow::anyhow!("cannot set the password of {role}: {}", describe(&error)))
}

fn checksum(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sql/migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed: Vec<String> =
            MIGRATIONS.iter().map(|migration| format!("{}.sql", migration.name)).collect();
        assert_eq!(files, listed);
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(migration.number).unwrap(), index + 1);
            assert!(migration.name.starts_with(&format!("{:04}_", migration.number)));
        }
    }
}
