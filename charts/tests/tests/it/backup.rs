//! The dump of the database, with the script that the chart renders: it waits for a database that takes no connection yet.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use wattline_charts_tests::charts::Environment;
use wattline_charts_tests::object::{each, name, template};
use wattline_localstack::{Installation, ServerKind, Stack, StackOptions};

use crate::fixture::rendered_with;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_waits_for_its_database() {
    let stack = Stack::start(StackOptions::new().servers(&[ServerKind::Timescale])).await.unwrap();
    let url = stack.create_database("dumped", None).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().display().to_string();
    fs::write(folder.path().join("owner"), "of-a-test").unwrap();
    let objects = rendered_with(Environment::Dev, &["--set", "timescaledb.backup.enabled=true"]).await;
    let job = objects
        .iter()
        .find(|object| name(object) == "wattline-timescaledb-backup" && template(object).is_some());
    let container = &template(job.unwrap()).unwrap()["spec"]["containers"][0];
    let words = each(&container["command"]).filter_map(|word| word.as_str());
    let command: Vec<_> = words
        .map(|word| {
            word.replace("/tmp/pgpass", &format!("{here}/pgpass"))
                .replace("/etc/wattline/secrets/database/owner", &format!("{here}/owner"))
                .replace("cd /backup", &format!("cd {here}"))
        })
        .collect();
    let programs = Installation::find().unwrap().postgres("");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let said = folder.path().join("said");
    stack.timescale().stop().await.unwrap();
    let mut dump = Command::new(&command[0])
        .args(&command[1..])
        .env("PATH", &path)
        .env("DATABASE_URL", &url)
        .stdin(Stdio::null())
        .stdout(fs::File::create(&said).unwrap())
        .stderr(fs::File::create(folder.path().join("errors")).unwrap())
        .spawn()
        .unwrap();
    let waits = async {
        while !fs::read_to_string(&said).unwrap().contains("no response") {
            assert_eq!(dump.try_wait().unwrap(), None, "it gave up");
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, waits).await.expect("it says that it waits");
    stack.timescale().start().await.unwrap();
    let ended = tokio::task::spawn_blocking(move || dump.wait().unwrap()).await.unwrap();
    let errors = fs::read_to_string(folder.path().join("errors")).unwrap();
    assert!(ended.success(), "{errors}");
    let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let dumps: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "dump")).collect();
    assert_eq!(dumps.len(), 1, "{errors}");
    restored_as_in_a_cluster(&stack, &url, &path, &dumps[0]);
    stack.stop().await.unwrap();
}

/// By standard input, on a server whose template has the extension, as the public image's has.
fn restored_as_in_a_cluster(stack: &Stack, url: &str, path: &str, dump: &Path) {
    let ended = |mut command: Command| {
        let output = command.env("PATH", path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let mut template = Command::new("psql");
    template.args(["--dbname", &stack.database_url_of("template1", "postgres"), "--command"]);
    template.arg("CREATE EXTENSION IF NOT EXISTS timescaledb");
    ended(template);
    let mut restore = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/backup.sh"));
    restore.args(["restore", "-"]).env("WATTLINE__DATABASE__URL", url);
    restore.stdin(fs::File::open(dump).unwrap());
    let said = ended(restore);
    assert!(said.contains("dumped is what standard input holds"), "{said}");
}
