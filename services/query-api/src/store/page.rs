//! Part of a list, as far as it was asked for.

/// One page of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// In ascending order, always.
    pub rows: Vec<T>,
    /// There is something before it.
    pub has_previous: bool,
    /// There is something after it.
    pub has_next: bool,
}
