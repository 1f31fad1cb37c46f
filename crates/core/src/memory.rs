//! Hints to the processor about memory that will be needed soon.
//!
//! A random access to a large table waits for memory longer than it computes. Whoever knows several accesses ahead can ask
//! for all of them first, and then wait once.

/// The bytes that memory is fetched by.
const CACHE_LINE: usize = 64;

/// Asks for the beginning of a slice, at most so many lines of memory. Changes nothing; on processors without such a hint it
/// does nothing.
#[inline]
pub fn prefetch_slice<T>(slice: &[T], lines: usize) {
    let start = slice.as_ptr().cast::<u8>();
    for line in 0..size_of_val(slice).div_ceil(CACHE_LINE).min(lines) {
        prefetch_line(start.wrapping_add(line * CACHE_LINE));
    }
}

/// Asks for one element of a slice; beyond its end for nothing.
#[inline]
pub fn prefetch_at<T>(slice: &[T], index: usize) {
    if let Some(element) = slice.get(index) {
        prefetch_line(std::ptr::from_ref(element).cast());
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[expect(unsafe_code, reason = "the only way to say it to the processor")]
fn prefetch_line(address: *const u8) {
    // SAFETY: a prefetch reads nothing and faults on no address.
    unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast()) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn prefetch_line(_address: *const u8) {}
