//! Properties of readings that hold for any of them, against slow and plain computations of the same.

mod any;
mod limits;
mod merge;
mod register;
mod wire;
