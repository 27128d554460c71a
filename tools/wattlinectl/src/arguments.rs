//! Arguments that several commands share.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use wattline_service::DatabaseSettings;

/// The database, and how to reach it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Database {
    /// `postgres://wattline_operator@host:port/database`
    #[arg(
        long = "database",
        env = "WATTLINE__DATABASE__URL",
        value_name = "URL",
        global = true,
        help_heading = "Database"
    )]
    url: Option<String>,
    /// File that holds the password.
    #[arg(
        long,
        env = "WATTLINE__DATABASE__PASSWORD_FILE",
        value_name = "FILE",
        global = true,
        help_heading = "Database"
    )]
    password_file: Option<PathBuf>,
    /// Authorities that sign the server's certificate (PEM).
    #[arg(
        long,
        env = "WATTLINE__DATABASE__TLS_ROOT_FILE",
        value_name = "FILE",
        global = true,
        help_heading = "Database"
    )]
    tls_root_file: Option<PathBuf>,
}

// === impl Database ===

impl Database {
    /// As settings.
    ///
    /// # Errors
    /// Where no database is named.
    pub(crate) fn settings(self) -> anyhow::Result<DatabaseSettings> {
        let Self { url, password_file, tls_root_file } = self;
        let url = url.context(
            "which database? Say --database postgres://wattline_operator@host:port/database, or set \
             WATTLINE__DATABASE__URL",
        )?;
        Ok(DatabaseSettings { url, password_file, tls_root_file, ..DatabaseSettings::default() })
    }
}
