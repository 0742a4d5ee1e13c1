//! Who is connected: few at a time, and whoever was not let in yet gives way to who comes later.
//!
//! Else a handful of clients that say nothing would keep those out who may read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// So many clients may be connected.
pub(super) const MOST: usize = 16;

/// Places of connections.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    /// The number of who comes next; those who came first have the lowest.
    next: u64,
    clients: BTreeMap<u64, Client>,
}

#[derive(Debug)]
struct Client {
    was_let_in: bool,
    leave: Arc<Notify>,
}

/// The place of one connection, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    leave: Arc<Notify>,
    places: Arc<Places>,
}

impl Places {
    /// A place for a new connection: at once if one is free, or if somebody gives way, else when somebody leaves.
    pub(super) async fn take(self: &Arc<Self>) -> Place {
        loop {
            if let Some(place) = self.try_take() {
                return place;
            }
            self.freed.notified().await;
        }
    }

    fn try_take(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.taken();
        if taken.clients.len() >= MOST {
            let stranger = taken.clients.iter().find(|(_, client)| !client.was_let_in).map(|(number, _)| *number)?;
            let client = taken.clients.remove(&stranger)?;
            client.leave.notify_one();
        }
        let (number, leave) = (taken.next, Arc::new(Notify::new()));
        taken.next += 1;
        taken.clients.insert(number, Client { was_let_in: false, leave: leave.clone() });
        Some(Place { number, leave, places: self.clone() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whoever has it may read, and keeps it.
    pub(super) fn let_in(&self) {
        if let Some(client) = self.places.taken().clients.get_mut(&self.number) {
            client.was_let_in = true;
        }
    }

    /// Ends when this place is wanted for somebody else.
    pub(super) async fn wanted(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.places.taken().clients.remove(&self.number).is_some() {
            self.places.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn who_was_not_let_in_gives_way_the_first_one_first() {
        let places = Arc::new(Places::default());
        let seats: Vec<Place> = (0..MOST).map(|_| places.try_take().unwrap()).collect();
        seats[0].let_in();
        let late = places.try_take().unwrap();
        let asked: Vec<usize> = (0..MOST).filter(|at| seats[*at].wanted().now_or_never().is_some()).collect();
        assert_eq!(asked, [1]);
        drop(late);
        assert_eq!(places.taken().clients.len(), MOST - 1);
        // Who gave way has no place to free any more.
        drop(seats);
        assert!(places.taken().clients.is_empty());
    }

    #[tokio::test]
    async fn where_all_were_let_in_who_comes_later_waits_until_one_leaves() {
        let places = Arc::new(Places::default());
        let mut seats: Vec<Place> = (0..MOST).map(|_| places.try_take().unwrap()).collect();
        seats.iter().for_each(Place::let_in);
        let mut waiting = Box::pin(places.take());
        assert!(waiting.as_mut().now_or_never().is_none());
        seats.pop();
        waiting.await;
    }
}
