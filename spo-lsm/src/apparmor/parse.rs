//! From an AppArmorProfile to the model: every rule that can be told from the text of one profile.

use std::collections::BTreeSet;

use spo_api::apparmor::v1::{Abstract, AppArmorProfileSpec};
use spo_api::{FieldPath, ProfileName, Violation};

use super::{Capability, Name, Network, Pattern, Profile, Ptrace};
use crate::findings::Findings;

/// Over all lists. A recording stops at 10,000.
const MAX_PATHS: usize = 16_384;
/// Over all lists: more does not fit into an object of a cluster.
const MAX_PATH_BYTES: usize = 1 << 20;
/// The kernel has 41.
const MAX_CAPABILITIES: usize = 256;

/// Makes the model of an AppArmorProfile.
///
/// # Errors
/// Everything that is wrong with it, by field of the object.
pub fn parse(name: ProfileName, spec: &AppArmorProfileSpec) -> Result<Profile, Vec<Violation>> {
    let mut found = Findings::default();
    let loaded_as = Name::try_from(&name);
    if let Err(error) = &loaded_as {
        found.refuse(FieldPath::new("metadata").child("name"), error.to_string());
    }
    let field = FieldPath::new("spec").child("abstract");
    // A profile without any is one with none, as the schema has it.
    let lists = spec.r#abstract.as_ref().map(|wanted| Lists::of(wanted, &field, &mut found)).unwrap_or_default();
    let (Ok(loaded_as), network) = (loaded_as, spec.r#abstract.as_ref().and_then(network)) else {
        return Err(found.finish().err().unwrap_or_default());
    };
    Ok(Profile {
        name,
        loaded_as,
        state: spec.state,
        mode: spec.mode.unwrap_or_default(),
        executables: lists.executables,
        libraries: lists.libraries,
        read: lists.read,
        write: lists.write,
        read_write: lists.read_write,
        ptrace: lists.ptrace,
        network,
        capabilities: lists.capabilities,
        warnings: found.finish()?,
    })
}

/// What is in the lists of a profile.
#[derive(Default)]
struct Lists {
    executables: BTreeSet<Pattern>,
    libraries: BTreeSet<Pattern>,
    read: BTreeSet<Pattern>,
    write: BTreeSet<Pattern>,
    read_write: BTreeSet<Pattern>,
    ptrace: BTreeSet<Ptrace>,
    capabilities: BTreeSet<Capability>,
}

impl Lists {
    fn of(wanted: &Abstract, field: &FieldPath, found: &mut Findings) -> Self {
        let mut lists = Self::default();
        let executable = wanted.executable.clone().unwrap_or_default();
        let filesystem = wanted.filesystem.clone().unwrap_or_default();
        let (programs, files) = (field.child("executable"), field.child("filesystem"));
        let all = [
            (executable.allowed_executables, programs.child("allowedExecutables")),
            (executable.allowed_libraries, programs.child("allowedLibraries")),
            (filesystem.read_only_paths, files.child("readOnlyPaths")),
            (filesystem.write_only_paths, files.child("writeOnlyPaths")),
            (filesystem.read_write_paths, files.child("readWritePaths")),
        ]
        .map(|(list, path)| (list.unwrap_or_default(), path));
        let bytes: usize = all.iter().flat_map(|(list, _)| list).map(String::len).sum();
        let count: usize = all.iter().map(|(list, _)| list.len()).sum();
        if count > MAX_PATHS || bytes > MAX_PATH_BYTES {
            found.refuse(
                field.clone(),
                format!("{count} paths of {bytes} bytes are too many; at most {MAX_PATHS} of {MAX_PATH_BYTES} bytes fit, so write ** for whole folders"),
            );
            return lists;
        }
        let [executables, libraries, read, write, read_write] = all;
        lists.executables = paths(&executables, None, found);
        lists.libraries = paths(&libraries, None, found);
        lists.read = paths(&read, Some(&mut lists.ptrace), found);
        lists.write = paths(&write, Some(&mut lists.ptrace), found);
        lists.read_write = paths(&read_write, Some(&mut lists.ptrace), found);
        lists.twice(&files, found);
        let names = wanted.capability.as_ref().and_then(|capability| capability.allowed_capabilities.as_deref());
        let path = field.child("capability").child("allowedCapabilities");
        lists.capabilities = capabilities(names.unwrap_or_default(), &path, found);
        lists
    }

    /// Tells of paths that stand in two lists: the reference denies what either of them does not permit.
    fn twice(&self, field: &FieldPath, found: &mut Findings) {
        let pairs = [(&self.read, &self.write), (&self.read, &self.read_write), (&self.write, &self.read_write)];
        for path in pairs.into_iter().flat_map(|(one, other)| one.intersection(other)) {
            found.warn(
                field.clone(),
                format!("{path} is in two lists; in enforce mode, what one of them does not permit is denied"),
            );
        }
    }
}

/// The paths of a list. Where `ptrace` is given, rules about tracing may stand among them.
fn paths(
    (list, field): &(Vec<String>, FieldPath),
    mut ptrace: Option<&mut BTreeSet<Ptrace>>,
    found: &mut Findings,
) -> BTreeSet<Pattern> {
    let mut paths = BTreeSet::new();
    for (index, text) in list.iter().enumerate() {
        let field = field.index(index);
        if let Some(ptrace) = ptrace.as_deref_mut()
            && Ptrace::is_meant(text)
        {
            match text.parse::<Ptrace>() {
                Ok(rule) => {
                    found.warn(field, "is no path; the rule is taken over, as the reference's own profiles have such");
                    ptrace.insert(rule);
                }
                Err(error) => found.refuse(field, error.to_string()),
            }
            continue;
        }
        match text.parse::<Pattern>() {
            Ok(path) => {
                if path.ends_in_parent() {
                    found.warn(field.clone(), "ends with /.., as no path does that the kernel looks at");
                }
                if !paths.insert(path) {
                    found.warn(field, "is named twice");
                }
            }
            Err(error) => found.refuse(field, error.to_string()),
        }
    }
    paths
}

fn capabilities(names: &[String], field: &FieldPath, found: &mut Findings) -> BTreeSet<Capability> {
    let mut capabilities = BTreeSet::new();
    if names.len() > MAX_CAPABILITIES {
        found.refuse(field.clone(), format!("{} entries are too many; the kernel has 41 capabilities", names.len()));
        return capabilities;
    }
    for (index, name) in names.iter().enumerate() {
        match name.parse::<Capability>() {
            Ok(capability) if !capabilities.insert(capability) => {
                found.warn(field.index(index), format!("{capability} is named twice"));
            }
            Ok(_) => {}
            Err(error) => found.refuse(field.index(index), error.to_string()),
        }
    }
    capabilities
}

fn network(wanted: &Abstract) -> Option<Network> {
    let network = wanted.network.as_ref()?;
    let protocols = network.allowed_protocols.as_ref();
    Some(Network {
        raw: network.allow_raw,
        tcp: protocols.and_then(|protocols| protocols.allow_tcp),
        udp: protocols.and_then(|protocols| protocols.allow_udp),
    })
}
