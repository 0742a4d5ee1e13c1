//! Who is connected: few at a time, and whoever was not let in yet gives way to who comes later, those first that have not even asked.
//!
//! Else a handful of clients that say nothing would keep those out who may read. Who shows metrics to everybody lets nobody in, and so all
//! give way there.

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
    standing: Standing,
    leave: Arc<Notify>,
}

/// How much a client is worth keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Silent,
    Asking,
    LetIn,
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
            let strangers = taken.clients.iter().filter(|(_, client)| client.standing < Standing::LetIn);
            let (stranger, _) = strangers.min_by_key(|(number, client)| (client.standing, **number))?;
            let stranger = *stranger;
            let client = taken.clients.remove(&stranger)?;
            client.leave.notify_one();
        }
        let (number, leave) = (taken.next, Arc::new(Notify::new()));
        taken.next += 1;
        taken.clients.insert(number, Client { standing: Standing::Silent, leave: leave.clone() });
        Some(Place { number, leave, places: self.clone() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whoever has it has sent a request.
    pub(super) fn asks(&self) {
        self.rise(Standing::Asking);
    }

    /// Whoever has it may read, and keeps it.
    pub(super) fn let_in(&self) {
        self.rise(Standing::LetIn);
    }

    fn rise(&self, standing: Standing) {
        if let Some(client) = self.places.taken().clients.get_mut(&self.number) {
            client.standing = client.standing.max(standing);
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
    fn who_was_not_let_in_gives_way_those_first_who_said_nothing() {
        let places = Arc::new(Places::default());
        let seats: Vec<Place> = (0..MOST).map(|_| places.try_take().unwrap()).collect();
        seats[0].let_in();
        seats[..MOST - 1].iter().for_each(Place::asks);
        let wanted = || (0..MOST).filter(|at| seats[*at].wanted().now_or_never().is_some()).collect::<Vec<_>>();
        let late = places.try_take().unwrap();
        late.asks();
        assert_eq!(wanted(), [MOST - 1]);
        let later = places.try_take().unwrap();
        assert_eq!(wanted(), [1]);
        drop([late, later]);
        assert_eq!(places.taken().clients.len(), MOST - 2);
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
        assert!(waiting.now_or_never().is_some());
    }
}
