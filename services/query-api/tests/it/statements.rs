//! Each statement is one that the role may run on the schema of the migrations.

use wattline_localstack::SqlFiles;
use wattline_reading::measures;

use crate::fixture::run;

#[test]
fn every_statement_is_planned_as_its_role() {
    run(|env| async {
        let files = SqlFiles::of(env!("CARGO_MANIFEST_DIR")).with("{measures}", &measures::column_list());
        files.check(&env.stack.database_url_as("wattline_api")).await.unwrap();
    });
}
