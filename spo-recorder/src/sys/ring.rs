//! The memory of a BPF ring buffer, which the kernel writes and we read.
//!
//! One page with the position up to which we have read, one with the position up to which it has written, and the data twice in a
//! row, so that no record ever wraps. See `Documentation/bpf/ringbuf.rst`.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Before each record: its length with two flags, and where it lies.
const HEADER: usize = 8;
const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;

/// A mapped ring buffer.
#[derive(Debug)]
pub(crate) struct RingMemory {
    fd: OwnedFd,
    consumer: Mapping,
    producer: Mapping,
    page: usize,
    size: usize,
}

impl RingMemory {
    /// Maps a ring buffer of `size` bytes, a power of two.
    pub(crate) fn map(fd: OwnedFd, size: usize) -> io::Result<Self> {
        let page = rustix::param::page_size();
        let consumer = Mapping::new(fd.as_fd(), page, 0, libc::PROT_READ | libc::PROT_WRITE)?;
        let producer = Mapping::new(fd.as_fd(), page + 2 * size, page, libc::PROT_READ)?;
        Ok(Self { fd, consumer, producer, page, size })
    }

    /// Copies the next record into `into`, cut to fit; its length, or `None` if there is none.
    ///
    /// `&mut`, as there is one reading position.
    pub(crate) fn next(&mut self, into: &mut [u8]) -> Option<usize> {
        loop {
            let read = self.consumer.atomic_u64(0).load(Ordering::Relaxed);
            if read == self.producer.atomic_u64(0).load(Ordering::Acquire) {
                return None;
            }
            let start = self.page + read as usize % self.size;
            let header = self.producer.atomic_u32(start).load(Ordering::Acquire);
            if header & BUSY != 0 {
                return None;
            }
            let length = (header & !DISCARDED) as usize;
            let copied = length.min(into.len());
            if header & DISCARDED == 0 {
                self.producer.copy(start + HEADER, &mut into[..copied]);
            }
            let next = read + (length + HEADER).next_multiple_of(8) as u64;
            self.consumer.atomic_u64(0).store(next, Ordering::Release);
            if header & DISCARDED == 0 {
                return Some(copied);
            }
        }
    }
}

impl AsFd for RingMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: shared memory is reached through atomics, or read where the kernel has said that it is done.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(fd: BorrowedFd<'_>, length: usize, offset: usize, protection: i32) -> io::Result<Self> {
        let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: a new mapping, at a place of the kernel's choice.
        let start =
            unsafe { libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, fd.as_raw_fd(), offset) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))?;
        Ok(Self { start, length })
    }

    fn atomic_u64(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset + 8 <= self.length);
        // SAFETY: inside of the mapping, aligned, and reached by both sides as an atomic only.
        unsafe { AtomicU64::from_ptr(self.start.as_ptr().add(offset).cast()) }
    }

    fn atomic_u32(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset + 4 <= self.length);
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(self.start.as_ptr().add(offset).cast()) }
    }

    fn copy(&self, offset: usize, into: &mut [u8]) {
        assert!(offset + into.len() <= self.length);
        // SAFETY: inside of the mapping; the kernel does not write a record again before we have moved on.
        unsafe {
            std::ptr::copy_nonoverlapping(self.start.as_ptr().add(offset), into.as_mut_ptr(), into.len());
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`, and nothing borrows from it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}
