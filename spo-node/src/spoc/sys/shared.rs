//! A page that `spoc` and the child it holds share: what they tell each other when no system call may be made any more.
//!
//! Once the filter is on, the child must not make one call that the profile was not written for. A word in shared memory needs
//! none.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// What the words say. All are zero at first.
#[repr(C)]
#[derive(Debug)]
struct Words {
    go: AtomicU32,
    filter: AtomicI32,
    stage: AtomicU32,
    errno: AtomicI32,
}

/// How far the filter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::spoc) enum FilterState {
    /// Not loaded yet.
    Pending,
    /// Loaded, without a listener.
    Silent,
    /// Loaded; this is the number of its listener, in the table of descriptors that both share.
    Listener(i32),
}

/// What the child did last, for the message when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::spoc) enum Stage {
    /// Taking on the identity of the user who called sudo.
    Identity = 1,
    /// Loading the filter.
    Filter = 2,
    /// Becoming the command.
    Exec = 3,
}

/// The page. It goes when this is dropped, or when the child becomes the command.
#[derive(Debug)]
pub(super) struct Page(NonNull<Words>);

impl Page {
    const SIZE: usize = size_of::<Words>();

    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: a new anonymous mapping at an address of the kernel's choice overlaps nothing.
        let address = unsafe {
            mmap_anonymous(std::ptr::null_mut(), Self::SIZE, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED)?
        };
        NonNull::new(address.cast()).map(Self).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    fn words(&self) -> &Words {
        // SAFETY: the mapping is page-aligned, lives as long as `self`, was zeroed by the kernel, and all zeros are valid for
        // atomics; both processes access it through atomics only.
        unsafe { self.0.as_ref() }
    }

    /// The word that the child sleeps on until it may go on.
    pub(super) fn go(&self) -> &AtomicU32 {
        &self.words().go
    }

    pub(super) fn filter(&self) -> FilterState {
        match self.words().filter.load(Ordering::Acquire) {
            0 => FilterState::Pending,
            -1 => FilterState::Silent,
            number => FilterState::Listener(number - 1),
        }
    }

    pub(super) fn set_filter(&self, listener: Option<i32>) {
        self.words().filter.store(listener.map_or(-1, |number| number + 1), Ordering::Release);
    }

    pub(super) fn set_stage(&self, stage: Stage) {
        self.words().stage.store(stage as u32, Ordering::Release);
    }

    pub(super) fn set_errno(&self, errno: i32) {
        self.words().errno.store(errno, Ordering::Release);
    }

    /// Where the child failed and with which error, if it did.
    pub(super) fn failure(&self) -> Option<(Stage, io::Error)> {
        let errno = self.words().errno.load(Ordering::Acquire);
        let stage = match self.words().stage.load(Ordering::Acquire) {
            1 => Stage::Identity,
            2 => Stage::Filter,
            _ => Stage::Exec,
        };
        (errno != 0).then(|| (stage, io::Error::from_raw_os_error(errno)))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `new` made, and no reference to it outlives `self`.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), Self::SIZE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_was_written() {
        let page = Page::new().unwrap();
        assert_eq!(page.filter(), FilterState::Pending);
        page.set_filter(Some(0));
        assert_eq!(page.filter(), FilterState::Listener(0));
        page.set_filter(None);
        assert_eq!(page.filter(), FilterState::Silent);
        assert!(page.failure().is_none());
        page.set_stage(Stage::Exec);
        page.set_errno(libc::ENOENT);
        let (stage, error) = page.failure().unwrap();
        assert_eq!((stage, error.kind()), (Stage::Exec, io::ErrorKind::NotFound));
    }
}
