//! Hints to the processor about memory that will be needed soon.
//!
//! A random access to a large table waits for memory longer than it computes. Whoever knows several accesses ahead can ask
//! for all of them first, and then wait once.

/// The bytes that memory is fetched by.
const CACHE_LINE: usize = 64;
/// What allocators align at least, so that no smaller element of a vector lies across two lines.
const ALLOCATED_ALIGN: usize = 16;

/// Asks for the beginning of a slice, at most so many lines of memory. Changes nothing; on processors without such a hint it
/// does nothing.
#[inline]
pub fn prefetch_slice<const LINES: usize, T>(slice: &[T]) {
    let start = slice.as_ptr().cast::<u8>();
    let last = start.wrapping_add(size_of_val(slice).saturating_sub(1));
    // A short slice has its last line asked for more than once: that costs less than to count its lines, which no processor can
    // foresee.
    for line in 0..LINES {
        prefetch_line(start.wrapping_add(line * CACHE_LINE).min(last));
    }
}

/// Asks for one element of a slice; beyond its end for nothing.
#[inline]
pub fn prefetch_at<T>(slice: &[T], index: usize) {
    if let Some(element) = slice.get(index) {
        prefetch(element);
    }
}

/// Asks for the place behind the last element, where the next one of a vector goes.
#[inline]
pub fn prefetch_end<T>(slice: &[T]) {
    prefetch_line(slice.as_ptr_range().end.cast());
}

/// Asks for a value: for its first line of memory, and for its last, which is another one when it lies across two.
#[inline]
pub fn prefetch<T>(value: &T) {
    let start = std::ptr::from_ref(value).cast::<u8>();
    prefetch_line(start);
    if size_of::<T>() > align_of::<T>().max(ALLOCATED_ALIGN) {
        prefetch_line(start.wrapping_add(size_of::<T>() - 1));
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
