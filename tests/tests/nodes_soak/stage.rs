//! Where a script is played: the guests of a cluster, and what is to be seen on them at the end.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Resource as _, ResourceExt as _};
use spo_api::node_status::v1::SecurityProfileNodeStatus;
use spo_api::{GROUP, ProfileKey, ProfileKind, ProfileState, labels};
use spo_tests::cluster::Cluster;
use spo_tests::{operator, profile, wait};

use super::hands::Hands;
use super::script::{Change, SUBJECTS, Subject};
use super::wish::Wish;

/// Every profile of a script that a guest has, as lines of its kind, its name, and the part of its text in which versions differ.
const LOOK_AT_SECCOMP: &str = r"cd /var/lib/node1/kubelet/seccomp/operator &&
for file in soak-*; do [ ! -e $file ] || echo seccomp ${file%.json} $(cat $file); done";
const LOOK_AT_APPARMOR: &str = r#"cd /etc/apparmor.d &&
grep -o '^soak-[a-z0-9-]* ([a-z]*)' /sys/kernel/security/apparmor/profiles | while read name mode; do
    # What the kernel has is what the text becomes.
    text=$(apparmor_parser -QKS $name </dev/null | sha1sum)
    kernel=$(cat /sys/kernel/security/apparmor/policy/profiles/$name.[0-9]*/raw_data | sha1sum)
    [ -s $name ] && apparmor_parser -QK $name </dev/null && [ "$text" = "$kernel" ] && echo apparmor $name $(grep -h /srv/soak $name) || echo kernel $name $kernel and not $text
done
for file in soak-*; do [ ! -e $file ] || echo file $file; done
for file in .security*; do [ ! -e $file ] || echo $file is left; done"#;
const LOOK_AT_SELINUX: &str = r"cd $(mktemp -d) &&
semodule -lfull | while read priority name kind; do
    case $name in soak-*)
        semodule -X $priority -c -E $name >/dev/null 2>&1 && echo selinux $name $(grep -h var_log_t $name.cil)
    esac
done; rm -rf $PWD";

/// A cluster with someone at hand on each guest, and what was wished so far.
pub(super) struct Stage<'a> {
    cluster: &'a Cluster,
    hands: Hands<'a>,
    wishes: BTreeMap<Subject, Wish>,
    kills: BTreeMap<&'static str, Kills>,
}

/// How often something was to be killed, and how often it was there to be.
#[derive(Default)]
struct Kills {
    meant: usize,
    done: usize,
}

impl<'a> Stage<'a> {
    pub(super) async fn set(cluster: &'a Cluster) -> Self {
        let hands = Hands::on_every_guest(cluster).await;
        let mut stage = Self { cluster, hands, wishes: BTreeMap::new(), kills: BTreeMap::new() };
        // What a run that failed has left.
        for subject in SUBJECTS {
            stage.delete(subject).await;
        }
        stage
    }

    pub(super) async fn play(&mut self, change: Change) {
        match change {
            Change::Put(subject, wish) => self.put(subject, wish).await,
            Change::Delete(subject) => self.delete(subject).await,
            Change::Kill(node, victim) => {
                let done = self.hands.kill(&node, victim).await;
                self.count(victim.as_str(), done);
            }
            Change::KillManager => {
                let done = self.kill_manager().await;
                self.count("manager", done);
            }
            Change::KillApiServer => {
                self.cluster.restart_api_server().await;
                self.count("API server", true);
            }
        }
    }

    fn count(&mut self, victim: &'static str, done: bool) {
        let kills = self.kills.entry(victim).or_default();
        kills.meant += 1;
        kills.done += usize::from(done);
    }

    fn api(&self, kind: ProfileKind) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk(GROUP, "v1", kind.as_str());
        Api::all_with(self.cluster.client.clone(), &ApiResource::from_gvk(&kind))
    }

    async fn put(&mut self, subject: Subject, wish: Wish) {
        let apply = PatchParams::apply("soak").force();
        let object = wish.object(subject.kind, subject.name);
        let (api, patch) = (self.api(subject.kind), Patch::Apply(&object));
        wait::until_ok("the API server to take a profile", async || api.patch(subject.name, &apply, &patch).await)
            .await;
        self.wishes.insert(subject, wish);
    }

    async fn delete(&mut self, subject: Subject) {
        let api = self.api(subject.kind);
        let delete = async || match api.delete(subject.name, &DeleteParams::default()).await {
            Err(kube::Error::Api(gone)) if gone.code == 404 => Ok(()),
            other => other.map(|_| ()),
        };
        wait::until_ok("the API server to delete a profile", delete).await;
        self.wishes.remove(&subject);
    }

    /// Whichever comes first; that may be the one that leads.
    async fn kill_manager(&self) -> bool {
        let pods: Api<Pod> = operator::pods(self.cluster);
        let managers = ListParams::default().labels("name=security-profiles-operator");
        let managers = wait::until_ok("the API server to list pods", async || pods.list(&managers).await).await.items;
        // One that was just killed may not have been replaced yet.
        let Some(running) = managers.iter().find(|pod| pod.meta().deletion_timestamp.is_none()) else { return false };
        let name = running.name_any();
        pods.delete(&name, &DeleteParams::default().grace_period(0)).await.is_ok()
    }

    /// Waits until everything is as it is wished, and says what was killed how often on the way.
    pub(super) async fn ends_as_desired(&mut self, seed: u64) -> String {
        wait::until_right(&format!("seed {seed}: the statuses"), async || self.unsaid().await).await;
        for node in &self.cluster.guests {
            let what = format!("seed {seed}: what {node} has");
            wait::until_right(&what, async || self.difference(node).await).await;
        }
        let kills: Vec<String> =
            self.kills.iter().map(|(victim, Kills { meant, done })| format!("{victim} {done} of {meant}")).collect();
        format!("{} profiles as desired; killed until now: {}", self.wishes.len(), kills.join(", "))
    }

    /// Every profile for which a node, or the cluster, does not say what is wished, of the generation that is current; and every status that is
    /// left of a profile that is gone.
    async fn unsaid(&self) -> Vec<String> {
        self.compared().await.unwrap_or_else(|error| vec![format!("the API server says: {error}")])
    }

    async fn compared(&self) -> kube::Result<Vec<String>> {
        let statuses = profile::statuses(self.cluster).list(&ListParams::default()).await?;
        let mut statuses: BTreeMap<String, SecurityProfileNodeStatus> =
            statuses.into_iter().map(|status| (status.name_any(), status)).collect();
        let mut wrong = Vec::new();
        for (subject, wish) in &self.wishes {
            let object = self.api(subject.kind).get(subject.name).await?;
            for node in &self.cluster.guests {
                let name = labels::node_status_name(&key(*subject), node);
                let said = statuses.remove(&name).and_then(|status| status.status);
                let state = said.as_ref().and_then(|status| status.status);
                let generation = said.as_ref().and_then(|status| {
                    status.conditions.iter().flatten().next().and_then(|condition| condition.observed_generation)
                });
                if (state, generation) != (Some(wished(*subject, *wish, node)), object.metadata.generation) {
                    wrong.push(format!(
                        "{} on {node} of generation {:?}: {said:?}",
                        subject.name, object.metadata.generation
                    ));
                }
            }
        }
        let left = statuses.into_iter().filter(|(name, _)| name.starts_with("soak-"));
        wrong.extend(left.map(|(name, status)| {
            let meta = status.metadata;
            format!("{name} is left, since {:?}, of {:?}", meta.creation_timestamp, meta.owner_references)
        }));
        Ok(wrong)
    }

    /// What a node has and should not, and the other way round.
    async fn difference(&self, node: &str) -> Vec<String> {
        let (kinds, module): (&[ProfileKind], &str) = match node {
            "apparmor" => (&[ProfileKind::AppArmor], LOOK_AT_APPARMOR),
            _ => (&[ProfileKind::Selinux, ProfileKind::RawSelinux], LOOK_AT_SELINUX),
        };
        let seen = self.hands.look(node, &format!("{LOOK_AT_SECCOMP}\n{module}")).await;
        let mut seen: BTreeSet<&str> = seen.lines().collect();
        let mut wrong = Vec::new();
        for (subject, wish) in self.wishes.iter().filter(|(_, wish)| !wish.disabled) {
            let (kind, mark) = (subject.kind, wish.mark(subject.kind));
            let module = match kind {
                ProfileKind::Seccomp => "seccomp",
                kind if !kinds.contains(&kind) => continue,
                ProfileKind::AppArmor => {
                    seen.remove(&*format!("file {}", subject.name));
                    "apparmor"
                }
                ProfileKind::Selinux | ProfileKind::RawSelinux => "selinux",
            };
            let begin = format!("{module} {} ", subject.name);
            match seen.iter().copied().find(|line| line.starts_with(&begin)) {
                Some(line) if line.contains(&mark) => drop(seen.remove(line)),
                other => wrong.push(format!("{begin}without {mark}: {other:?}")),
            }
        }
        wrong.extend(seen.into_iter().map(|line| format!("nobody wished {line}")));
        wrong
    }

    pub(super) async fn clear(mut self) {
        for subject in SUBJECTS {
            self.delete(subject).await;
        }
        wait::until_right("the end", async || self.unsaid().await).await;
        self.hands.clear().await;
        let spared: Vec<_> = self.kills.iter().filter(|(_, kills)| kills.done == 0).map(|(victim, _)| victim).collect();
        assert!(spared.is_empty(), "never there to be killed: {spared:?}");
    }
}

fn key(subject: Subject) -> ProfileKey {
    ProfileKey { kind: subject.kind, name: subject.name.parse().expect("a profile's name") }
}

/// What a node is to say of a profile.
fn wished(subject: Subject, wish: Wish, node: &str) -> ProfileState {
    let served = match subject.kind {
        ProfileKind::Seccomp => true,
        ProfileKind::AppArmor => node == "apparmor",
        ProfileKind::Selinux | ProfileKind::RawSelinux => node == "selinux",
    };
    match (wish.disabled, served) {
        (true, _) => ProfileState::Disabled,
        (false, true) => ProfileState::Installed,
        (false, false) => ProfileState::Error,
    }
}
