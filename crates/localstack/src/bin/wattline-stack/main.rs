//! `wattline-stack`
fn main() {}
