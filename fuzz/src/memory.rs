//! Memory in proportion to the message: the fuzzer's own limit sees only what is left of it, or far too much.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// A decoder may take so many times the bytes of its message, and this much whatever its size.
const TIMES_MAX: usize = 96;
const BYTES_FREE: usize = 64 * 1024;

thread_local! {
    static USED: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn add(bytes: usize) {
    let used = USED.get().wrapping_add(bytes);
    USED.set(used);
    PEAK.set(PEAK.get().max(used));
}

fn subtract(bytes: usize) {
    // What another thread allocated may be freed here.
    USED.set(USED.get().saturating_sub(bytes));
}

// SAFETY: every call goes to the system's allocator with the arguments as they came; beside it only numbers are kept,
// in thread-locals that neither allocate nor have a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps the rules of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        subtract(layout.size());
        // SAFETY: the caller keeps the rules of this function.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        subtract(layout.size());
        add(size);
        // SAFETY: the caller keeps the rules of this function.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Runs `work` on a message of `bytes` and panics where it took memory out of proportion.
pub fn within_proportion<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let before = USED.get();
    PEAK.set(before);
    let made = work();
    let taken = PEAK.get() - before;
    let allowed = BYTES_FREE + TIMES_MAX * bytes;
    assert!(taken <= allowed, "{taken} bytes of memory for a message of {bytes}, at most {allowed}");
    made
}
