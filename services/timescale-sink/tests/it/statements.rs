//! Every SQL file can be prepared and planned as the sink's role, and somebody uses it.

use wattline_localstack::SqlFiles;
use wattline_reading::measures;

use crate::world::World;

#[tokio::test]
async fn every_sql_file_is_one_that_the_sink_can_run() {
    let world = World::new().await;
    let excluded: Vec<String> = measures::columns().map(|name| format!("{name} = excluded.{name}")).collect();
    let files = SqlFiles::of(env!("CARGO_MANIFEST_DIR"))
        .with("{table}", "reading")
        .with("{measures}", &measures::column_list())
        .with("{excluded_measures}", &excluded.join(", "))
        .after("CREATE TEMP TABLE wattline_staging (LIKE reading)");
    files.check(&world.stack.database_url_of(&world.database, "wattline_sink")).await.unwrap();
}
