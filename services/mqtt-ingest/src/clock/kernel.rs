//! What the kernel knows of its clock's synchronisation: adjtimex(2), reading only, which needs no right.

use wattline_reading::timestamp::seconds;

/// What it says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Synchronisation {
    /// Somebody keeps it; the error is at most this.
    Yes { error_s: f64 },
    /// Nobody does, or no longer.
    No { error_s: f64 },
    /// A container may forbid to ask.
    Unknown,
}

// === impl Synchronisation ===

impl Synchronisation {
    /// The same word, whatever the error.
    pub(super) const fn is_like(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Yes { .. }, Self::Yes { .. })
                | (Self::No { .. }, Self::No { .. })
                | (Self::Unknown, Self::Unknown)
        )
    }
}

/// Asks the kernel.
pub(super) fn synchronisation() -> Synchronisation {
    match ask() {
        None => Synchronisation::Unknown,
        Some((state, status, error_us)) => {
            let error_s = seconds(error_us);
            if state == libc::TIME_ERROR || status & libc::STA_UNSYNC != 0 {
                Synchronisation::No { error_s }
            } else {
                Synchronisation::Yes { error_s }
            }
        }
    }
}

/// State, status bits and largest error in µs.
#[expect(unsafe_code, reason = "no safe binding of adjtimex")]
fn ask() -> Option<(i32, i32, i64)> {
    // SAFETY: all fields are numbers, for which zero is a value; `modes` = 0 changes nothing; the kernel writes only
    // into the struct, which outlives the call.
    let (state, answer) = unsafe {
        let mut answer: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut answer), answer)
    };
    (state >= 0).then_some((state, answer.status, answer.maxerror))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers_or_forbids() {
        if let Synchronisation::Yes { error_s } | Synchronisation::No { error_s } = synchronisation() {
            assert!((0.0..=3600.0).contains(&error_s), "{error_s}");
        }
    }
}
