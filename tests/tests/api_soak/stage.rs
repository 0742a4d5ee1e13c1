//! Where a script is played: our processes beside a real API server, and what is to be seen at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use spo_api::ProfileState;
use spo_api::node_status::v1::SecurityProfileNodeStatus;
use spo_api::seccomp::v1::SeccompProfile;
use spo_tests::api::process::{Process, daemon, manager, render};
use spo_tests::api::server::Server;
use spo_tests::wait;

use super::script::{Change, Victim};
use super::wish::Wish;

/// The processes, and what was wished so far.
pub(super) struct Stage {
    server: Server,
    daemon: Option<Process>,
    manager: Option<Process>,
    wishes: BTreeMap<&'static str, Wish>,
    kills: [usize; 3],
}

impl Stage {
    pub(super) fn new(server: Server) -> Self {
        let (daemon, manager) = (Some(daemon(&server)), Some(manager(&server)));
        Self { server, daemon, manager, wishes: BTreeMap::new(), kills: [0; 3] }
    }

    pub(super) async fn play(&mut self, change: Change) {
        match change {
            Change::Put(name, wish) => self.put(name, wish).await,
            Change::Delete(name) => self.delete(name).await,
            Change::Overwrite(name) => self.touch(name, |file| std::fs::write(file, "{}")),
            Change::Unlink(name) => self.touch(name, std::fs::remove_file),
            Change::Plant => self.touch("planted", |file| std::fs::write(file, "{}")),
            Change::Kill(victim) => self.kill(victim).await,
        }
    }

    async fn put(&mut self, name: &'static str, wish: Wish) {
        let (apply, object) = (PatchParams::apply("soak").force(), wish.object(name));
        let patch = Patch::Apply(&object);
        wait::until_ok("the API server to take a profile", async || {
            self.server.profiles.patch(name, &apply, &patch).await
        })
        .await;
        self.wishes.insert(name, wish);
    }

    async fn delete(&mut self, name: &'static str) {
        let delete = async || match self.server.profiles.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(gone)) if gone.code == 404 => Ok(()),
            other => other.map(|_| ()),
        };
        wait::until_ok("the API server to delete a profile", delete).await;
        self.wishes.remove(name);
    }

    /// What others do to files may fail: the folder may not be there yet.
    fn touch(&self, name: &str, how: impl FnOnce(PathBuf) -> std::io::Result<()>) {
        let _ = how(self.server.file(name));
    }

    async fn kill(&mut self, victim: Victim) {
        self.kills[victim as usize] += 1;
        match victim {
            Victim::Daemon => {
                self.daemon.take().unwrap().kill();
                self.daemon = Some(daemon(&self.server));
            }
            Victim::Manager => {
                self.manager.take().unwrap().kill();
                self.manager = Some(manager(&self.server));
            }
            Victim::ApiServer => self.server.restart().await,
        }
    }

    /// Waits until everything is as it is wished, and says what was killed how often on the way.
    pub(super) async fn ends_as_desired(&mut self, seed: u64) -> String {
        let profiles = self.server.profiles.list(&ListParams::default()).await.unwrap().items;
        let there: BTreeSet<String> = profiles.iter().map(kube::ResourceExt::name_any).collect();
        let wished: BTreeSet<String> = self.wishes.keys().map(ToString::to_string).collect();
        assert_eq!(there, wished, "seed {seed}: the objects");
        let expected = self.expected(&profiles);
        let files = async || difference(&self.files(), &expected);
        wait::until_right(&format!("seed {seed}: the files"), files).await;
        wait::until_right(&format!("seed {seed}: the statuses"), async || self.unsaid().await).await;
        let [daemon, manager, api_server] = self.kills;
        format!(
            "{} profiles as desired; killed on the way: daemon {daemon}, manager {manager}, API server {api_server}",
            wished.len()
        )
    }

    /// The files that are to be there: what `spo-node render` makes of the objects that are switched on.
    fn expected(&self, profiles: &[SeccompProfile]) -> BTreeMap<String, Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let (manifests, out) = (folder.path().join("in"), folder.path().join("out"));
        std::fs::create_dir(&manifests).unwrap();
        for profile in profiles {
            let text = serde_json::to_string(profile).unwrap();
            std::fs::write(manifests.join(format!("{}.json", profile.name_any())), text).unwrap();
        }
        render(&manifests, &out);
        let mut files = read(&out);
        files.retain(|name, _| self.wishes.get(name.trim_end_matches(".json")).is_some_and(|wish| !wish.disabled));
        files
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        read(self.server.file("any").parent().unwrap())
    }

    /// Every profile whose status, or whose node status, does not yet say what is wished, of the generation that is current.
    ///
    /// What is left of deleted profiles goes by its owner reference, which is a controller's work that does not run here.
    async fn unsaid(&self) -> Vec<String> {
        let all = ListParams::default();
        let (Ok(profiles), Ok(statuses)) =
            tokio::join!(self.server.profiles.list(&all), self.server.statuses.list(&all))
        else {
            return vec!["the API server does not answer".to_owned()];
        };
        let says = |profile: &SeccompProfile| {
            let owned = |status: &&SecurityProfileNodeStatus| {
                status.owner_references().iter().any(|owner| Some(&owner.uid) == profile.metadata.uid.as_ref())
            };
            let node = statuses.iter().find(owned).and_then(|status| status.status.as_ref()?.status);
            let status = profile.status.as_ref()?;
            let ready = status.conditions.iter().flatten().find(|condition| condition.r#type == "Ready")?;
            Some((node?, status.status?, ready.observed_generation? == profile.metadata.generation?))
        };
        let is_unsaid = |profile: &&SeccompProfile| {
            let wished = match self.wishes.get(&*profile.name_any()) {
                Some(wish) if wish.disabled => ProfileState::Disabled,
                _ => ProfileState::Installed,
            };
            says(profile) != Some((wished, wished, true))
        };
        profiles
            .iter()
            .filter(is_unsaid)
            .map(|profile| format!("{}: {:?}", profile.name_any(), says(profile)))
            .collect()
    }
}

/// What is in a folder, but for the daemon's lock; nothing if there is none.
fn read(folder: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeMap::new() };
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        Some((entry.file_name().into_string().ok()?, std::fs::read(entry.path()).ok()?))
    };
    entries.filter_map(file).filter(|(name, _)| name != ".lock").collect()
}

/// Every file that is not as it should be.
fn difference(seen: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let names: BTreeSet<&String> = seen.keys().chain(expected.keys()).collect();
    let text =
        |bytes: Option<&Vec<u8>>| bytes.map_or("nothing".into(), |bytes| String::from_utf8_lossy(bytes).into_owned());
    let differs = names.into_iter().filter(|name| seen.get(*name) != expected.get(*name));
    differs.map(|name| format!("{name}: {} and not {}", text(seen.get(name)), text(expected.get(name)))).collect()
}
