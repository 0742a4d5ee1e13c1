//! Maps whose keys and values have types.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::bpf;
use super::wire::{Wire, bytes_of, bytes_of_mut, zeroed};

/// A map whose keys and values have the types that it was made with.
pub(crate) struct Map<K, V> {
    fd: OwnedFd,
    types: PhantomData<fn(K) -> V>,
}

impl<K: Wire, V: Wire> Map<K, V> {
    /// `None` if the map's sizes, as given, are not those of the types.
    pub(crate) fn new(fd: OwnedFd, key_size: u32, value_size: u32) -> Option<Self> {
        let fits = key_size as usize == size_of::<K>() && value_size as usize == size_of::<V>();
        fits.then_some(Self { fd, types: PhantomData })
    }

    pub(crate) fn get(&self, key: &K) -> io::Result<Option<V>> {
        let mut value = zeroed::<V>();
        let found = bpf::look_up(self.fd.as_fd(), bytes_of(key), bytes_of_mut(&mut value))?;
        Ok(found.then_some(value))
    }

    pub(crate) fn set(&self, key: &K, value: &V) -> io::Result<()> {
        bpf::update(self.fd.as_fd(), bytes_of(key), bytes_of(value), 0)
    }

    /// Sets the value only where there is none; `false` where there is.
    pub(crate) fn add(&self, key: &K, value: &V) -> io::Result<bool> {
        const NOEXIST: u64 = 1;
        match bpf::update(self.fd.as_fd(), bytes_of(key), bytes_of(value), NOEXIST) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn remove(&self, key: &K) -> io::Result<bool> {
        bpf::delete(self.fd.as_fd(), bytes_of(key))
    }

    /// Removes every key.
    pub(crate) fn clear(&self) -> io::Result<()> {
        let mut key = zeroed::<K>();
        while bpf::any_key(self.fd.as_fd(), bytes_of_mut(&mut key))? {
            self.remove(&key)?;
        }
        Ok(())
    }
}

impl<K, V> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Map").field(&self.fd).finish()
    }
}

impl<K, V> AsFd for Map<K, V> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
