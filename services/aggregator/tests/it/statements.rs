//! Every SQL file can be prepared and planned as the aggregator's role, and somebody uses it.

use wattline_localstack::SqlFiles;

use crate::scene::Scene;

#[tokio::test]
async fn every_sql_file_is_one_that_the_aggregator_can_run() {
    let scene = Scene::new("statements", 1).await;
    let files = SqlFiles::of(env!("CARGO_MANIFEST_DIR"));
    for register in ["energy_import_wh", "energy_export_wh"] {
        files.clone().with("{register}", register).check(&scene.config().database.url).await.unwrap();
    }
}
