//! The allocator of the binary: the system's, with a limit that only the render child arms. While
//! it is not armed, each call costs one relaxed load.
//!
//! Fuel bounds the steps of a template but not its memory: `{% set x = x ~ x %}` thirty times is a
//! gigabyte in thirty steps. Only the allocator sees that.

#![expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; each method hands on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};

/// Exit status of a process that went over its limit.
pub const OVER_LIMIT: i32 = 96;

/// Bytes that may be allocated above the state at arming; 0 = not armed.
static LIMIT: AtomicUsize = AtomicUsize::new(0);
/// Bytes allocated since arming, less those freed (of what was there before, too).
static USED: AtomicIsize = AtomicIsize::new(0);

/// `#[global_allocator]` of the binary.
pub struct Allocator;

/// From now on, ends the process with [`OVER_LIMIT`] when it allocates more than `bytes` above what
/// it has now.
pub fn arm(bytes: usize) {
    USED.store(0, Relaxed);
    LIMIT.store(bytes, Relaxed);
}

fn count(bytes: isize) {
    let limit = LIMIT.load(Relaxed);
    if limit == 0 {
        return;
    }
    let used = USED.fetch_add(bytes, Relaxed) + bytes;
    if bytes > 0 && used > limit as isize {
        // SAFETY: it ends the process and touches nothing of it: no destructors, no formatting,
        // both of which could allocate
        unsafe { libc::_exit(OVER_LIMIT) }
    }
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: `pointer` came from `System` with this layout, as every block of ours
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // both blocks exist while the content moves
        count(size as isize);
        // SAFETY: `pointer` came from `System` with this layout, as every block of ours
        let new = unsafe { System.realloc(pointer, layout, size) };
        count(-(layout.size() as isize));
        new
    }
}
