//! Rules about sockets.

use std::collections::BTreeMap;

use super::{Notes, Statement, Unread};
use crate::apparmor::Network;

/// What was read of them.
#[derive(Debug, Default)]
pub(super) struct Networks {
    raw: bool,
    tcp: bool,
    udp: bool,
    /// The protocols that were permitted in one family of addresses, with what is to be said if the other one never is.
    half: BTreeMap<(Protocol, Family), Unread>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Protocol {
    Tcp,
    Udp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Four,
    Six,
}

const REST: &str = "only TCP, UDP and raw sockets of it are taken over, which is what an AppArmorProfile has words for";

impl Networks {
    pub(super) fn add(&mut self, rule: &Statement<'_>, kinds: &[&str], notes: &mut Notes) {
        match kinds {
            [] => {
                (self.raw, self.tcp, self.udp) = (true, true, true);
                notes.add(rule, REST);
            }
            ["raw"] => self.raw = true,
            ["tcp"] => self.tcp = true,
            ["udp"] => self.udp = true,
            ["stream"] => {
                self.tcp = true;
                notes.add(rule, REST);
            }
            ["dgram"] => {
                self.udp = true;
                notes.add(rule, REST);
            }
            [family, kinds @ ..] => self.family(rule, family, kinds, notes),
        }
    }

    fn family(&mut self, rule: &Statement<'_>, family: &str, kinds: &[&str], notes: &mut Notes) {
        let protocols: &[Protocol] = match kinds {
            [] => &[Protocol::Tcp, Protocol::Udp],
            ["stream" | "tcp"] | ["stream", "tcp"] => &[Protocol::Tcp],
            ["dgram" | "udp"] | ["dgram", "udp"] => &[Protocol::Udp],
            _ => &[],
        };
        let family = match family {
            "inet" => Some(Family::Four),
            "inet6" => Some(Family::Six),
            _ => None,
        };
        let (Some(family), false) = (family, protocols.is_empty()) else {
            return notes.add(rule, "is left out: an AppArmorProfile has words for TCP, UDP and raw sockets only");
        };
        if kinds.is_empty() {
            notes.add(rule, "other sockets than those of TCP and UDP are left out");
        }
        for protocol in protocols {
            let reason = "is left out: an AppArmorProfile permits a protocol in IPv4 and IPv6, or in none";
            self.half.entry((*protocol, family)).or_insert_with(|| Unread::of(rule, reason));
        }
    }

    /// What an AppArmorProfile says of it.
    pub(super) fn finish(mut self, notes: &mut Notes) -> Option<Network> {
        let has_both =
            |protocol| [Family::Four, Family::Six].iter().all(|family| self.half.contains_key(&(protocol, *family)));
        let (tcp, udp) = (self.tcp || has_both(Protocol::Tcp), self.udp || has_both(Protocol::Udp));
        (self.tcp, self.udp) = (tcp, udp);
        for ((protocol, _), unread) in self.half {
            let taken = if protocol == Protocol::Tcp { tcp } else { udp };
            if !taken {
                notes.push(unread);
            }
        }
        let network = Network { raw: self.raw.then_some(true), tcp: tcp.then_some(true), udp: udp.then_some(true) };
        (network != Network::default()).then_some(network)
    }
}
