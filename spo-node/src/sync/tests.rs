//! The difference, in examples and by its properties.

use proptest::prelude::*;
use spo_lsm::host::Foreign;

use super::*;
use crate::fixture::{desired, key, spec};
use crate::source::{Change as Said, Desired};

/// Everything, compared.
fn diff(catalogue: &Catalogue, files: &Files, support: &Result<(), Unsupported>) -> Plan {
    super::diff(catalogue, files, support, &Scope::All)
}

const SUPPORTED: Result<(), Unsupported> = Ok(());

fn catalogue(profiles: Vec<Desired>) -> Catalogue {
    let mut catalogue = Catalogue::default();
    catalogue.change(Said::All { profiles, complete: true });
    catalogue
}

fn nothing() -> Files {
    Files::new(Module::Seccomp)
}

fn files(there: &[(&str, Digest)]) -> Files {
    let mut files = nothing();
    let there = there.iter().map(|(name, digest)| ((*name).to_owned(), host::Content::Profile(*digest))).collect();
    files.listed(&Installed { files: there, foreign: Vec::new() });
    files
}

/// Does what the plan says, on a folder that is never in the way.
fn carry_out(plan: &Plan, files: &mut Files) {
    for todo in &plan.todo {
        let change = if matches!(todo, Todo::Install { .. }) { Change::Written } else { Change::Removed };
        files.done(todo, &Ok(change));
    }
}

fn states(plan: &Plan) -> Vec<(String, ProfileState)> {
    plan.standings.iter().map(|(key, standing)| (key.name.to_string(), standing.state())).collect()
}

fn todo(plan: &Plan) -> Vec<String> {
    let verb = |todo: &Todo| if matches!(todo, Todo::Install { .. }) { "install" } else { "remove" };
    plan.todo.iter().map(|todo| format!("{} {}", verb(todo), todo.file_name())).collect()
}

fn other() -> Digest {
    Digest::of(b"something else")
}

#[test]
fn nothing_is_done_before_the_source_has_spoken() {
    let plan = diff(&Catalogue::default(), &files(&[("web.json", other())]), &SUPPORTED);
    assert_eq!(plan, Plan::default());
}

#[test]
fn w_nd_1_a_profile_is_installed_in_the_pass_that_first_sees_it() {
    let (catalogue, mut files) = (catalogue(vec![desired("web", spec("read"))]), nothing());
    let plan = diff(&catalogue, &files, &SUPPORTED);
    assert_eq!(todo(&plan), ["install web.json"]);
    carry_out(&plan, &mut files);
    let plan = diff(&catalogue, &files, &SUPPORTED);
    assert_eq!((todo(&plan).len(), states(&plan)), (0, vec![("web".to_owned(), ProfileState::Installed)]));
}

#[test]
fn a_file_of_an_earlier_process_is_proven_before_it_counts() {
    let catalogue = catalogue(vec![desired("web", spec("read"))]);
    let digest = catalogue.get(&key("web")).unwrap().verdict.as_ref().unwrap().digest;
    let plan = diff(&catalogue, &files(&[("web.json", digest)]), &SUPPORTED);
    assert_eq!((todo(&plan), states(&plan)), (vec!["install web.json".to_owned()], vec![]));
}

#[test]
fn what_has_no_object_any_more_goes() {
    let mut files = files(&[("gone.json", other()), ("also.json", other())]);
    files.listed(&Installed {
        files: [("gone.json".to_owned(), host::Content::Profile(other()))].into(),
        foreign: vec![Foreign { name: "link.json".into(), what: "a symbolic link" }],
    });
    let plan = diff(&catalogue(vec![]), &files, &SUPPORTED);
    assert_eq!(todo(&plan), ["remove gone.json", "remove link.json"]);
}

#[test]
fn what_nobody_of_us_can_have_written_stays() {
    let plan = diff(&catalogue(vec![]), &files(&[("Mine.json", other()), ("a_b.json", other())]), &SUPPORTED);
    assert_eq!(plan, Plan::default());
}

#[test]
fn nothing_goes_while_the_source_may_have_overlooked_something() {
    let mut catalogue = Catalogue::default();
    catalogue.change(Said::All { profiles: vec![], complete: false });
    assert_eq!(diff(&catalogue, &files(&[("web.json", other())]), &SUPPORTED), Plan::default());
}

#[test]
fn a_tampered_file_is_installed_again() {
    let (catalogue, mut files) = (catalogue(vec![desired("web", spec("read"))]), nothing());
    carry_out(&diff(&catalogue, &files, &SUPPORTED), &mut files);
    files.touched("web.json");
    assert_eq!(todo(&diff(&catalogue, &files, &SUPPORTED)), ["install web.json"]);
    files.touched("planted.json");
    assert_eq!(todo(&diff(&catalogue, &files, &SUPPORTED)), ["install web.json", "remove planted.json"]);
}

#[test]
fn disabled_and_partial_profiles_are_not_on_the_node() {
    let disabled = Desired { admin: AdminState::Disabled, ..desired("disabled", spec("read")) };
    let partial = Desired { partial: true, ..desired("partial", spec("read")) };
    let (catalogue, mut files) = (catalogue(vec![disabled, partial]), files(&[("disabled.json", other())]));
    let plan = diff(&catalogue, &files, &SUPPORTED);
    assert_eq!(
        (todo(&plan), states(&plan)),
        (vec!["remove disabled.json".to_owned()], vec![("partial".to_owned(), ProfileState::Partial)])
    );
    carry_out(&plan, &mut files);
    assert_eq!(states(&diff(&catalogue, &files, &SUPPORTED))[0], ("disabled".to_owned(), ProfileState::Disabled));
}

#[test]
fn a_profile_that_pods_use_stays_until_they_are_gone() {
    let web = |want| Desired { want, admin: AdminState::Disabled, ..desired("web", spec("read")) };
    let mut files = files(&[("web.json", other())]);
    let held = catalogue(vec![web(Want::Hold)]);
    carry_out(&diff(&held, &files, &SUPPORTED), &mut files);
    let plan = diff(&held, &files, &SUPPORTED);
    assert_eq!((todo(&plan).len(), &plan.standings[0].1), (0, &Standing::Held));
    assert_eq!(todo(&diff(&catalogue(vec![web(Want::Remove)]), &files, &SUPPORTED)), ["remove web.json"]);
}

#[test]
fn a_profile_that_is_switched_off_stays_until_no_pod_uses_it() {
    let web = |want| Desired { want, admin: AdminState::Disabled, ..desired("web", spec("read")) };
    let mut there = files(&[("web.json", other())]);
    let used = catalogue(vec![web(Want::KeepUsed)]);
    carry_out(&diff(&used, &there, &SUPPORTED), &mut there);
    let plan = diff(&used, &there, &SUPPORTED);
    assert_eq!((todo(&plan).len(), &plan.standings[0].1), (0, &Standing::Disabled { kept: true }));
    assert_eq!(todo(&diff(&catalogue(vec![web(Want::Keep)]), &there, &SUPPORTED)), ["remove web.json"]);
    let plan = diff(&used, &nothing(), &SUPPORTED);
    assert_eq!(
        (todo(&plan).len(), &plan.standings[0].1),
        (0, &Standing::Disabled { kept: false }),
        "it is not put there"
    );
}

#[test]
fn a_refused_generation_leaves_the_file_of_the_one_before() {
    let broken =
        Desired { generation: 2, ..desired("web", "{defaultAction: SCMP_ACT_ERRNO, baseProfileName: missing}") };
    let plan = diff(&catalogue(vec![broken]), &files(&[("web.json", other())]), &SUPPORTED);
    assert_eq!((todo(&plan).len(), states(&plan)), (0, vec![("web".to_owned(), ProfileState::Error)]));
    assert!(matches!(plan.standings[0].1, Standing::Refused { kept: true, .. }), "{plan:?}");
}

#[test]
fn w_nd_4_without_seccomp_every_profile_says_so_and_nothing_is_tried() {
    let why = Unsupported { reason: "no seccomp".into(), next_step: "use another kernel".into() };
    let plan = diff(&catalogue(vec![desired("web", spec("read"))]), &nothing(), &Err(why.clone()));
    assert_eq!((todo(&plan).len(), &plan.standings[0].1), (0, &Standing::Unsupported(why)));
}

#[test]
fn what_failed_waits_for_its_time_or_for_a_change() {
    let (mut catalogue, mut files) = (catalogue(vec![desired("web", spec("read"))]), nothing());
    let full = HostError::NoSpace { path: "/x".into() };
    let plan = diff(&catalogue, &files, &SUPPORTED);
    files.done(&plan.todo[0], &Err(full.clone()));
    let plan = diff(&catalogue, &files, &SUPPORTED);
    assert_eq!((todo(&plan).len(), &plan.standings[0].1), (0, &Standing::Failed { error: full, kept: false }));
    assert!(files.may_retry());
    catalogue.change(Said::Some { changed: vec![desired("web", spec("write"))], gone: vec![] });
    assert_eq!(todo(&diff(&catalogue, &files, &SUPPORTED)), ["install web.json"], "another content is tried at once");
    catalogue.change(Said::Some { changed: vec![desired("web", spec("read"))], gone: vec![] });
    files.retry();
    assert_eq!(todo(&diff(&catalogue, &files, &SUPPORTED)), ["install web.json"]);
}

#[test]
fn a_profile_that_cannot_be_removed_says_so() {
    let gone = Desired { want: Want::Remove, ..desired("web", spec("read")) };
    let (catalogue, mut files) = (catalogue(vec![gone]), files(&[("web.json", other())]));
    let plan = diff(&catalogue, &files, &SUPPORTED);
    files.done(&plan.todo[0], &Err(HostError::ReadOnly { path: "/x".into() }));
    let plan = diff(&catalogue, &files, &SUPPORTED);
    assert!(matches!(plan.standings[0].1, Standing::Stuck { state: ProfileState::Terminating, .. }), "{plan:?}");
    assert!(files.is_stuck() && plan.todo.is_empty());
}

#[test]
fn a_profile_that_goes_leaves_the_file_of_its_twin() {
    let gone = Desired { want: Want::Remove, ..desired("web", spec("read")) };
    let (catalogue, mut files) =
        (catalogue(vec![gone, desired("web.json", spec("write"))]), files(&[("web.json", other())]));
    let plan = diff(&catalogue, &files, &SUPPORTED);
    assert_eq!(todo(&plan), ["install web.json"]);
    carry_out(&plan, &mut files);
    assert!(diff(&catalogue, &files, &SUPPORTED).todo.is_empty());
}

fn any_desired() -> impl Strategy<Value = Desired> {
    let names = prop::sample::select(vec!["a", "b", "c", "a.json"]);
    let wants = prop::sample::select(vec![Want::Keep, Want::KeepUsed, Want::Hold, Want::Remove]);
    let bases = prop::option::of(prop::sample::select(vec!["a", "b", "missing"]));
    (names, wants, any::<bool>(), any::<bool>(), bases).prop_map(|(name, want, disabled, partial, base)| {
        let base = base.map(|base| format!(", baseProfileName: {base}")).unwrap_or_default();
        Desired {
            want,
            partial,
            admin: if disabled { AdminState::Disabled } else { AdminState::Enabled },
            ..desired(name, &format!("{{defaultAction: SCMP_ACT_LOG{base}}}"))
        }
    })
}

fn any_catalogue() -> impl Strategy<Value = Catalogue> {
    (prop::collection::vec(any_desired(), 0..6), any::<bool>()).prop_map(|(profiles, complete)| {
        let unique: BTreeMap<ProfileKey, Desired> = profiles.into_iter().map(|one| (one.key.clone(), one)).collect();
        let mut catalogue = Catalogue::default();
        catalogue.change(Said::All { profiles: unique.into_values().collect(), complete });
        catalogue
    })
}

fn any_files() -> impl Strategy<Value = Files> {
    prop::collection::btree_set(prop::sample::select(vec!["a.json", "b.json", "d.json", "No.json"]), 0..4)
        .prop_map(|names| files(&names.into_iter().map(|name| (name, other())).collect::<Vec<_>>()))
}

proptest! {
    #[test]
    fn comparing_what_was_touched_finds_what_comparing_everything_finds(catalogue in any_catalogue(), files in any_files()) {
        let mut keys: BTreeSet<ProfileKey> = catalogue.iter().map(|(key, _)| key.clone()).collect();
        keys.extend(files.known.keys().flat_map(|name| owners(Module::Seccomp, name)));
        let (all, some) = (diff(&catalogue, &files, &SUPPORTED), super::diff(&catalogue, &files, &SUPPORTED, &Scope::Some(keys)));
        let sorted = |plan: &Plan| { let mut names = todo(plan); names.sort(); names };
        prop_assert_eq!(sorted(&all), sorted(&some));
        prop_assert_eq!(all.standings, some.standings);
    }

    #[test]
    fn one_pass_is_enough(catalogue in any_catalogue(), mut files in any_files()) {
        carry_out(&diff(&catalogue, &files, &SUPPORTED), &mut files);
        let plan = diff(&catalogue, &files, &SUPPORTED);
        prop_assert_eq!(todo(&plan), Vec::<String>::new());
    }

    #[test]
    fn when_nothing_is_left_to_do_every_profile_stands_somewhere(catalogue in any_catalogue(), mut files in any_files()) {
        carry_out(&diff(&catalogue, &files, &SUPPORTED), &mut files);
        let plan = diff(&catalogue, &files, &SUPPORTED);
        let standing: Vec<_> = plan.standings.iter().map(|(key, _)| key).collect();
        prop_assert_eq!(standing, catalogue.iter().map(|(key, _)| key).collect::<Vec<_>>());
    }

    #[test]
    fn no_file_is_touched_twice(catalogue in any_catalogue(), files in any_files()) {
        let plan = diff(&catalogue, &files, &SUPPORTED);
        let unique: BTreeSet<_> = plan.todo.iter().map(Todo::file_name).collect();
        prop_assert_eq!(unique.len(), plan.todo.len());
    }

    #[test]
    fn a_file_in_use_is_never_removed(catalogue in any_catalogue(), files in any_files()) {
        let plan = diff(&catalogue, &files, &SUPPORTED);
        for todo in plan.todo.iter().filter(|todo| matches!(todo, Todo::Remove { .. })) {
            let is_used = |desired: &Desired| match desired.want {
                Want::Hold => true,
                Want::KeepUsed => !desired.partial,
                Want::Keep | Want::Remove => false,
            };
            let held = catalogue.iter().any(|(key, entry)| is_used(&entry.desired) && file_name(key) == todo.file_name());
            prop_assert!(!held, "{todo:?}");
        }
    }

    #[test]
    fn what_is_there_and_proven_is_what_the_profile_says(catalogue in any_catalogue(), mut files in any_files()) {
        carry_out(&diff(&catalogue, &files, &SUPPORTED), &mut files);
        for (key, standing) in diff(&catalogue, &files, &SUPPORTED).standings {
            if let Standing::Installed { .. } = standing {
                let (_, artifact) = catalogue.build(&key).unwrap();
                prop_assert!(files.holds(&artifact.file_name, artifact.digest()));
            }
        }
    }
}
