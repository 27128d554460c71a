//! What energy costs: pure, exact, no I/O, no clock. `docs/tariffs.md` says the rules.

mod answer;
mod bands;
mod clock;
mod course;
mod day;
mod exact;
mod fields;
mod flags;
mod flow;
mod import;
mod intervals;
mod line;
mod model;
mod node;
mod number;
mod print;
mod quotes;
mod read;
mod refusal;
mod series;
mod set;
mod settle;
mod world;

pub use answer::Answer;
pub use model::Question;
pub use print::{Format, print};
pub use read::read;
pub use refusal::{Code, Refusal};

/// What a question asks for.
///
/// # Errors
/// Where numbers are beyond 128 bits: no home's.
pub fn cost(question: &Question) -> Result<Answer, Refusal> {
    answer::answer(question).map_err(|_| Refusal::new(Code::TooLarge, "the amounts"))
}
