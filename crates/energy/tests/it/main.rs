//! The rules of energy against a slow second reading of them, against real cases, and against what must always hold.

mod agrees;
mod cases;
mod invariants;
mod oracle;
mod series;
