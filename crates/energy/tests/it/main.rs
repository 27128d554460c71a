//! The rules of energy one by one, against a slow second reading of them, against real cases, and against what must
//! always hold.

mod agrees;
mod cases;
mod day;
mod documented;
mod homes;
mod invariants;
mod oracle;
mod periods;
mod recompute;
mod registers;
mod series;
mod sharing;
mod shown;
