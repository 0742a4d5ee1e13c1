//! What a profile permits to be done with files, as the kernel decides it: what some rule permits and none denies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::glob::{self, Budget, Except, Found};
use super::index::Index;
use super::{Capability, Glob, Pattern, Profile, Uses};

/// What `abstractions/base`, which every text includes, permits in any release of AppArmor, as far as something may deny it.
const BASE: [(&str, Uses); 31] = [
    ("/dev/{null,zero,full}", Uses::READ),
    ("/dev/{null,zero,full,log}", Uses::WRITE),
    ("/dev/{,u}random", Uses::READ),
    ("@{run}/systemd/journal/{dev-log,socket,stdout}", Uses::WRITE),
    ("@{run}/systemd/journal/stdout", Uses::READ),
    ("/etc/locale/**", Uses::READ),
    ("/etc/{locale.alias,localtime,writable/localtime}", Uses::READ),
    ("/etc/{bindresvport.blacklist,ld.so.cache,ld.so.conf,ld.so.preload}", Uses::READ),
    ("/etc/ld.so.conf.d/{,*.conf}", Uses::READ),
    ("/usr/share/{locale,locale-bundle,locale-langpack,X11/locale}/**", Uses::READ),
    ("/usr/share/**/locale/**", Uses::READ),
    ("/usr/share/zoneinfo/{,**}", Uses::READ),
    ("/usr/share/common-licenses/**", Uses::READ),
    ("/{usr/,}lib{,32,64}/**", Uses::READ),
    ("@{PROC}/{meminfo,stat,cpuinfo,filesystems}", Uses::READ),
    ("@{PROC}/@{pid}/{maps,auxv,status}", Uses::READ),
    ("@{PROC}/sys/kernel/{version,ngroups_max,cap_last_cap}", Uses::READ),
    ("@{PROC}/sys/crypto/*", Uses::READ),
    ("@{PROC}/sys/vm/overcommit_memory", Uses::READ),
    ("@{sys}/devices/system/cpu/{,online,possible}", Uses::READ),
    ("/etc/crypto-policies/*/*.txt", Uses::READ),
    ("/usr/share/crypto-policies/*/*.txt", Uses::READ),
    ("/etc/gcrypt/{hwf.deny,random.conf}", Uses::READ),
    ("@{run}/uuidd/request", Uses::READ),
    ("/opt/*-linux-uclibc/lib/ld-uClibc*so*", Uses::READ),
    ("/opt/*-linux-uclibc/lib/ld-uClibc*so*", Uses::LOAD),
    ("/etc/ld.so.cache", Uses::LOAD),
    ("/{usr/,}lib{,32,64}/**.so*", Uses::LOAD),
    ("/usr/lib{,32,64}/locale/**", Uses::LOAD),
    ("/usr/lib{,32,64}/gconv/gconv-modules*", Uses::LOAD),
    ("/usr/lib/*-linux-gnu*/gconv/gconv-modules*", Uses::LOAD),
];

/// What it permits to owners alone, in every way, and so is not surely permitted.
const OWNED: &str = "/{root,home/{,.ecryptfs/}*}/.Private/**";

static OWNED_GLOB: LazyLock<Option<Glob>> = LazyLock::new(|| Glob::parse(OWNED).ok());

static BASE_GLOBS: LazyLock<Vec<(Glob, Uses)>> =
    LazyLock::new(|| BASE.iter().filter_map(|(text, uses)| Some((Glob::parse(text).ok()?, *uses))).collect());

/// What a filesystem check needs, which comes with raw access to disks.
pub(super) const MOUNT_HELPERS: [&str; 2] = ["/sbin/fsck", "/sbin/fsck.ext4"];

/// How much is looked at for one profile.
const STEPS: u64 = 3_000_000;

pub(super) fn budget() -> Budget {
    Budget::new(STEPS)
}

/// What the rules of a profile permit and deny, by file.
#[derive(Debug)]
pub(super) struct Access {
    /// Each pattern with what its rules permit, and at the end what [`BASE`] does.
    allowed: Vec<(Glob, Uses)>,
    /// How many of these are the profile's own.
    own: usize,
    denied: Vec<(Glob, Uses)>,
}

impl Access {
    /// That of a profile, as if it were enforced.
    pub(super) fn of(profile: &Profile, budget: &mut Budget) -> Self {
        let denied = denials(profile, budget).into_iter().map(|(pattern, uses)| (Glob::from(pattern), uses));
        let denied = denied.chain(super::rules::denied_everywhere()).collect();
        let mut allowed: Vec<(Glob, Uses)> =
            patterns(profile).into_iter().map(|(pattern, uses)| (Glob::from(pattern), uses)).collect();
        if profile.capabilities.contains(&Capability::SYS_RAWIO) {
            let helpers = MOUNT_HELPERS.iter().filter_map(|path| Glob::parse(path).ok());
            allowed.extend(helpers.map(|glob| (glob, Uses::EXECUTE | Uses::READ | Uses::LOAD)));
        }
        let own = allowed.len();
        allowed.extend(BASE_GLOBS.iter().cloned());
        Self { allowed, own, denied }
    }

    /// What its own rules permit.
    pub(super) fn own(&self) -> &[(Glob, Uses)] {
        &self.allowed[..self.own]
    }

    /// The part that is about one way of use, ready to be asked.
    pub(super) fn by(&self, way: Uses) -> Part<'_> {
        Part { allowed: used(&self.allowed, way), denied: used(&self.denied, way) }
    }
}

fn used(globs: &[(Glob, Uses)], way: Uses) -> Index<'_> {
    Index::new(globs.iter().filter(|(_, uses)| uses.contains(way)).map(|(glob, _)| glob))
}

/// What is permitted in one way.
#[derive(Debug)]
pub(super) struct Part<'a> {
    allowed: Index<'a>,
    denied: Index<'a>,
}

impl Part<'_> {
    /// A path that `glob` matches, that is not denied here, and that none of `others` permits.
    pub(super) fn beyond(&self, glob: &Glob, others: &[&Self], budget: &mut Budget) -> Found {
        let near: Vec<_> =
            others.iter().map(|other| (other.allowed.near_globs(glob), other.denied.near_globs(glob))).collect();
        let excepts: Vec<_> = near.iter().map(|(allowed, denied)| Except { allowed, denied }).collect();
        glob::beyond(glob, &self.denied.near_globs(glob), &excepts, budget)
    }

    /// Whether all that `glob` matches is surely permitted, denials aside.
    pub(super) fn allows(&self, glob: &Glob, budget: &mut Budget) -> bool {
        glob::covered(glob, &self.allowed.near_globs(glob), budget)
    }

    /// Whether it may permit something that `glob` matches.
    pub(super) fn touches(&self, glob: &Glob, budget: &mut Budget) -> bool {
        let denied = self.denied.near_globs(glob);
        self.allowed.near_globs(glob).into_iter().chain(OWNED_GLOB.as_ref()).any(|allowed| {
            // Where all that both match is denied, nothing of it is permitted.
            glob::overlap(glob, allowed, budget)
                && glob::shared_beyond(glob, allowed, &denied, budget) != Found::Nothing
        })
    }

    /// Whether a denial has anything in common with `glob`.
    pub(super) fn denies_part_of(&self, glob: &Glob, budget: &mut Budget) -> bool {
        self.denied.near_globs(glob).into_iter().any(|denied| glob::overlap(glob, denied, budget))
    }

    /// A path that `glob` matches, and that is permitted by some rule.
    pub(super) fn common(&self, glob: &Glob, budget: &mut Budget) -> Option<String> {
        self.allowed.near_globs(glob).into_iter().find_map(|allowed| match glob::common(glob, allowed, budget) {
            Found::Path(path) => Some(path),
            Found::Nothing | Found::Unsure => None,
        })
    }
}

/// The lists of a profile with what a rule for one of their paths permits.
fn lists(profile: &Profile) -> [(&BTreeSet<Pattern>, Uses); 5] {
    [
        // What may be run may be loaded, too: the kernel's parser adds it.
        (&profile.executables, Uses::EXECUTE | Uses::READ | Uses::LOAD),
        (&profile.libraries, Uses::LOAD | Uses::READ),
        (&profile.read, Uses::READ),
        (&profile.write, Uses::WRITE),
        (&profile.read_write, Uses::READ | Uses::WRITE),
    ]
}

/// What the rules for this very pattern permit.
pub(super) fn uses(profile: &Profile, pattern: &Pattern) -> Uses {
    let named = lists(profile).into_iter().filter(|(list, _)| list.contains(pattern));
    named.fold(Uses::NONE, |all, (_, uses)| all | uses)
}

/// The patterns of a profile with what their rules permit.
pub(super) fn patterns(profile: &Profile) -> BTreeMap<&Pattern, Uses> {
    let mut all = BTreeMap::new();
    for (list, uses) in lists(profile) {
        for pattern in list {
            *all.entry(pattern).or_insert(Uses::NONE) |= uses;
        }
    }
    all
}

/// The exceptions of a profile: a path that may only be read, inside of what may be written, and the other way round.
///
/// Where nothing permits the rest, a denial would only repeat that. And where something inside of such a path is permitted by itself, the
/// denial would take that away. If that cannot be told, it is denied.
pub(super) fn denials<'a>(profile: &'a Profile, budget: &mut Budget) -> Vec<(&'a Pattern, Uses)> {
    let all = patterns(profile);
    let mut denials = Vec::new();
    for (paths, denied) in [(&profile.read, Uses::WRITE), (&profile.write, Uses::READ)] {
        if paths.is_empty() {
            continue;
        }
        let own: Vec<(&Pattern, Glob)> =
            all.iter().filter(|(_, uses)| uses.contains(denied)).map(|(path, _)| (*path, Glob::from(*path))).collect();
        let base = BASE_GLOBS.iter().filter(|(_, uses)| uses.contains(denied)).map(|(glob, _)| glob);
        let index = Index::new(own.iter().map(|(_, glob)| glob).chain(base).chain(OWNED_GLOB.as_ref()));
        let named_twice = |path: &Pattern| all.get(path).is_some_and(|uses| uses.contains(denied));
        for path in paths {
            if named_twice(path) || is_exception(&Glob::from(path), &index, budget) {
                denials.push((path, denied));
            }
        }
    }
    denials
}

/// Whether something in `others` permits more than `path`, and nothing in it permits a part of `path`.
fn is_exception(path: &Glob, others: &Index<'_>, budget: &mut Budget) -> bool {
    if budget.is_spent() {
        return true;
    }
    let near = others.near_globs(path);
    budget.spend(near.len() as u64);
    if path.is_literal() {
        return near.iter().any(|other| other.matches(path.prefix()));
    }
    let mut overlaps = false;
    for other in near {
        if glob::covered(other, &[path], budget) {
            if !glob::covered(path, &[other], budget) {
                return false;
            }
            overlaps = true;
        } else {
            overlaps = overlaps || glob::overlap(path, other, budget);
        }
    }
    overlaps
}
