//! glibc's heaps, which RocksDB allocates from. Other allocators give back what they don't need.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    /// Heaps for all threads together. glibc makes one for each thread that finds the others in use, and what one thread allocates
    /// and another frees stays there: with the dozens of threads of a few databases that is a quarter of managed memory.
    const HEAPS_MAX: libc::c_int = 2;
    /// Blocks of so many bytes, as write buffers are made of, go back to the system at once; glibc would move them to its heaps
    /// after it has seen a few.
    const MAPPED_BYTES_MIN: libc::c_int = 128 << 10;

    pub(in super::super) fn bound() {
        let is_set = |variable: &str| std::env::var_os(variable).is_some();
        #[expect(unsafe_code, reason = "settings of the allocator")]
        // SAFETY: `mallopt` may be called at any time, from any thread; these parameters change what later calls do, nothing
        // else.
        unsafe {
            // Whoever has set one themselves knows why.
            if !is_set("MALLOC_ARENA_MAX") {
                libc::mallopt(libc::M_ARENA_MAX, HEAPS_MAX);
            }
            if !is_set("MALLOC_MMAP_THRESHOLD_") {
                libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
            }
        }
    }

    pub(in super::super) fn trim() {
        #[expect(unsafe_code, reason = "a call of the allocator")]
        // SAFETY: `malloc_trim` may be called at any time, from any thread; it gives back pages that no allocation lies in.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) use glibc::{bound, trim};

/// Nothing to do.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn bound() {}

/// Nothing to do.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn trim() {}
