//! SQL files are checked as a role: the SQL, the tables, the columns, the rights, and that somebody uses them.

use std::fs;

use wattline_localstack::{ServerKind, SqlFiles, Stack, StackOptions};

use crate::clients::sql;

#[tokio::test]
async fn a_file_that_a_role_cannot_run_or_nobody_uses_is_named() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Timescale])).await.unwrap();
    let owner = sql(&stack.database_url()).await;
    let tables = "CREATE TABLE known (key int, power_w float8); CREATE TABLE closed (key int);
        CREATE ROLE reader LOGIN; GRANT SELECT ON known TO reader";
    owner.batch_execute(tables).await.unwrap();
    let url = stack.database_url_as("reader");

    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("src");
    fs::create_dir_all(source.join("sql")).unwrap();
    let write = |name: &str, text: &str| fs::write(source.join(name), text).unwrap();
    write("a.rs", r#"const A: &str = include_str!("sql/good.sql");"#);
    write("sql/good.sql", "-- Of one.\nSELECT {measures} FROM known JOIN mine USING (key) WHERE key = $1\n");
    let files =
        SqlFiles::of(folder.path()).with("{measures}", "power_w").after("CREATE TEMP TABLE mine (key int)");
    assert_eq!(files.check(&url).await.unwrap(), 1);

    let bad = [
        ("unused", "SELECT power_w FROM known", "include_str"),
        ("typo", "SELEC 1", "syntax"),
        ("no_table", "SELECT FROM nowhere", "nowhere"),
        ("no_column", "SELECT current_a FROM known", "current_a"),
        ("no_right", "SELECT key FROM closed WHERE key = $1", "permission denied"),
        ("no_write", "UPDATE known SET power_w = $1", "permission denied"),
        ("no_lock", "SELECT key FROM known FOR UPDATE", "permission denied"),
        ("two", "SELECT 1; SELECT 2", "multiple"),
    ];
    for (name, text, _) in bad {
        write(&format!("sql/{name}.sql"), text);
        let include = format!(r#"const B: &str = include_str!("sql/{name}.sql");"#);
        write(&format!("{name}.rs"), if name == "unused" { "" } else { &include });
    }
    let said = files.check(&url).await.unwrap_err().to_string();
    for (name, _, words) in bad {
        let line = said.lines().find(|line| line.contains(&format!("/{name}.sql")));
        assert!(line.is_some_and(|line| line.contains(words)), "{name}: {said}");
    }
    assert_eq!(said.lines().count(), 1 + bad.len(), "{said}");
}
