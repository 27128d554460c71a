//! wattline-query-api: GraphQL, live readings and the live page. `--print-schema` prints the contract.

use std::process::ExitCode;

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--print-schema") {
        print!("{}", wattline_query_api::graphql::sdl());
        return ExitCode::SUCCESS;
    }
    wattline_service::start("query-api", wattline_query_api::run)
}
