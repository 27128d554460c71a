//! Root may keep a stack in its home: the database, which runs as another user, then lies elsewhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::unistd::geteuid;
use wattline_localstack::{Installation, ServerKind, Stack, StackOptions};

use crate::clients::{folder, sql};

#[tokio::test]
async fn a_folder_closed_to_the_databases_user_works_and_leaves_nothing_behind() {
    let dir = folder();
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let options = || StackOptions::new().dir(dir.path()).servers(&[ServerKind::Timescale]);
    let stack = Stack::start(options()).await.unwrap();
    let id = stack.id().to_string();
    let create = "CREATE TABLE kept ()";
    sql(&stack.database_url()).await.batch_execute(create).await.unwrap();
    stack.stop().await.unwrap();
    let stack = Stack::start(options()).await.unwrap();
    sql(&stack.database_url()).await.batch_execute("SELECT FROM kept").await.unwrap();
    stack.stop().await.unwrap();

    let outside = Installation::find().unwrap().cache().join("data").join(id);
    assert_eq!(outside.exists(), geteuid().is_root());
    drop(dir);
    Stack::start(StackOptions::new().servers(&[ServerKind::Mosquitto])).await.unwrap();
    assert!(!outside.exists(), "the database of a deleted stack was not removed");
}
