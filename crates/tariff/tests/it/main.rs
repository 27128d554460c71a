//! The rules of cost one by one, against a slow second reading of them, against cases with their amounts, and against
//! what must always hold.
#![expect(clippy::needless_pass_by_value, reason = "stories read better with values")]

mod agrees;
mod ask;
mod cases;
mod documented;
mod home;
mod invariants;
mod oracle;
mod rules;
mod street;
