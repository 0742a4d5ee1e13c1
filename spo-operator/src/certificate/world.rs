//! What the watches have shown: the Secrets, and the consumers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt, select_all};
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use spo_api::GROUP;

use super::consumer::{Consumer, Id, Kind};
use super::metrics::Metrics;
use super::plan::Observed;
use super::secret;
use crate::definition::{self, Definition};
use crate::watch;

/// The configurations that we are called by. The third is switched on together with the enricher that reads what it adds.
pub(crate) const MUTATING: [&str; 2] = ["spo-mutating-webhook-configuration", "spo-exec-webhook-configuration"];
pub(crate) const VALIDATING: &str = "spo-validating-webhook-configuration";

/// Which of the watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Metrics,
    Authority,
    Serving,
    Definitions,
    Mutating(usize),
    Validating,
}

/// What is watched.
const SOURCES: [Source; 7] = [
    Source::Metrics,
    Source::Authority,
    Source::Serving,
    Source::Definitions,
    Source::Mutating(0),
    Source::Mutating(1),
    Source::Validating,
];

/// An object as far as it is wanted.
#[derive(Debug)]
pub(super) enum Object {
    Secret(Box<Secret>),
    /// None if it does not call us.
    Consumer(Id, Option<Consumer>),
}

/// What is known.
#[derive(Debug)]
pub(super) struct World {
    pub(super) authority: Option<Secret>,
    pub(super) serving: Option<Secret>,
    pub(super) metrics: Option<Secret>,
    consumers: BTreeMap<Id, Consumer>,
    /// What has not shown all of its objects yet.
    incomplete: BTreeSet<Source>,
    /// What was there before a watch began anew, and has not been shown since.
    unseen: BTreeMap<Source, BTreeSet<String>>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            authority: None,
            serving: None,
            metrics: None,
            consumers: BTreeMap::new(),
            incomplete: SOURCES.into(),
            unseen: BTreeMap::new(),
        }
    }
}

impl World {
    /// Takes in what a watch shows.
    pub(super) fn take(&mut self, source: Source, event: Event<Object>) {
        match event {
            Event::Init => {
                let names = self.names(source);
                self.unseen.insert(source, names);
            }
            Event::InitApply(object) | Event::Apply(object) => {
                if let Some(unseen) = self.unseen.get_mut(&source) {
                    unseen.remove(name(&object));
                }
                self.put(source, object);
            }
            Event::Delete(object) => self.remove(source, name(&object)),
            Event::InitDone => {
                for name in self.unseen.remove(&source).unwrap_or_default() {
                    self.remove(source, &name);
                }
                self.incomplete.remove(&source);
            }
        }
    }

    /// Takes in an object, as a watch or as the answer to a write gives it.
    pub(super) fn put(&mut self, source: Source, object: Object) {
        match (source, object) {
            (Source::Authority, Object::Secret(secret)) => self.authority = Some(*secret),
            (Source::Metrics, Object::Secret(secret)) => self.metrics = Some(*secret),
            (_, Object::Secret(secret)) => self.serving = Some(*secret),
            (_, Object::Consumer(id, Some(consumer))) => _ = self.consumers.insert(id, consumer),
            (_, Object::Consumer(id, None)) => _ = self.consumers.remove(&id),
        }
    }

    /// Whether the Secrets are known, without which nothing can be decided.
    pub(super) fn knows_secrets(&self) -> bool {
        !self.incomplete.contains(&Source::Authority) && !self.incomplete.contains(&Source::Serving)
    }

    /// As what has to be done is decided by. `trusted_for` only counts while all consumers are known.
    pub(super) fn observe(&self, trusted_for: Option<Duration>) -> Observed {
        Observed {
            authority: self.authority.as_ref().map(secret::authority),
            serving: self.serving.as_ref().map(secret::serving),
            consumers: self.consumers.values().cloned().collect(),
            trusted_for: trusted_for.filter(|_| self.incomplete.iter().all(|source| *source == Source::Metrics)),
            metrics: self.metrics_server(),
        }
    }

    /// A role of an earlier release does not show this Secret, and webhooks do not wait for it.
    fn metrics_server(&self) -> Metrics {
        match &self.metrics {
            Some(secret) => Metrics::There(secret::serving(secret)),
            None if self.incomplete.contains(&Source::Metrics) => Metrics::Unknown,
            None => Metrics::Missing,
        }
    }

    fn names(&self, source: Source) -> BTreeSet<String> {
        match source {
            Source::Authority => self.authority.iter().map(Secret::name_any).collect(),
            Source::Serving => self.serving.iter().map(Secret::name_any).collect(),
            Source::Metrics => self.metrics.iter().map(Secret::name_any).collect(),
            Source::Definitions | Source::Mutating(_) | Source::Validating => {
                let ids = self.consumers.keys().filter(|id| source_of(id) == source);
                ids.map(|id| id.name.clone()).collect()
            }
        }
    }

    fn remove(&mut self, source: Source, name: &str) {
        match source {
            Source::Authority => self.authority = None,
            Source::Serving => self.serving = None,
            Source::Metrics => self.metrics = None,
            Source::Definitions | Source::Mutating(_) | Source::Validating => {
                self.consumers.retain(|id, _| id.name != name || source_of(id) != source);
            }
        }
    }
}

/// The watch that shows it.
pub(super) fn source_of(id: &Id) -> Source {
    match id.kind {
        Kind::Definition => Source::Definitions,
        Kind::Mutating => Source::Mutating(usize::from(id.name != MUTATING[0])),
        Kind::Validating => Source::Validating,
    }
}

fn name(object: &Object) -> &str {
    match object {
        Object::Secret(secret) => secret.metadata.name.as_deref().unwrap_or_default(),
        Object::Consumer(id, _) => &id.name,
    }
}

/// All that happens to them, for ever.
pub(super) fn watch(client: &Client, namespace: &str) -> BoxStream<'static, (Source, Event<Object>)> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let of_secret = |secret| Object::Secret(Box::new(secret));
    let mutating = |index: usize| {
        let source = Source::Mutating(index);
        objects(source, Api::all(client.clone()), named(MUTATING[index]), "webhook configurations", of_mutating)
    };
    let watches = [
        objects(Source::Authority, secrets.clone(), named(secret::AUTHORITY), "the Secret webhook-ca", of_secret),
        objects(Source::Metrics, secrets.clone(), named(secret::METRICS), "the Secret metrics-server-cert", of_secret),
        objects(Source::Serving, secrets, named(secret::SERVING), "the Secret webhook-server-cert", of_secret),
        objects(Source::Definitions, Api::all(client.clone()), definition::ours(), "definitions", of_definition),
        mutating(0),
        mutating(1),
        objects(
            Source::Validating,
            Api::all(client.clone()),
            named(VALIDATING),
            "webhook configurations",
            of_validating,
        ),
    ];
    select_all(watches).boxed()
}

fn named(name: &str) -> Config {
    Config::default().fields(&format!("metadata.name={name}"))
}

pub(super) fn of_definition(definition: Definition) -> Object {
    let id = Id { kind: Kind::Definition, name: definition.name_any() };
    let ours = definition.spec.group == GROUP;
    Object::Consumer(id, Consumer::of_definition(definition).filter(|_| ours))
}

pub(super) fn of_mutating(configuration: MutatingWebhookConfiguration) -> Object {
    let consumer = Consumer::of_mutating(configuration);
    Object::Consumer(consumer.id.clone(), Some(consumer))
}

pub(super) fn of_validating(configuration: ValidatingWebhookConfiguration) -> Object {
    let consumer = Consumer::of_validating(configuration);
    Object::Consumer(consumer.id.clone(), Some(consumer))
}

fn objects<K>(
    source: Source,
    api: Api<K>,
    config: Config,
    what: &'static str,
    object: impl Fn(K) -> Object + Copy + Send + 'static,
) -> BoxStream<'static, (Source, Event<Object>)>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let events = watch::forever(api, config, what);
    events.map(move |event| (source, converted(event, object))).boxed()
}

fn converted<K>(event: Event<K>, object: impl Fn(K) -> Object) -> Event<Object> {
    match event {
        Event::Init => Event::Init,
        Event::InitApply(found) => Event::InitApply(object(found)),
        Event::InitDone => Event::InitDone,
        Event::Apply(changed) => Event::Apply(object(changed)),
        Event::Delete(gone) => Event::Delete(object(gone)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(name: &str) -> Object {
        Object::Secret(Box::new(serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()))
    }

    fn configuration(name: &str) -> Object {
        of_mutating(serde_json::from_value(json!({"metadata": {"name": name}})).unwrap())
    }

    fn shown(world: &mut World, source: Source, objects: impl IntoIterator<Item = Object>) {
        world.take(source, Event::Init);
        objects.into_iter().for_each(|object| world.take(source, Event::InitApply(object)));
        world.take(source, Event::InitDone);
    }

    #[test]
    fn nothing_is_decided_before_both_secrets_were_looked_for() {
        let mut world = World::default();
        shown(&mut world, Source::Serving, [secret(secret::SERVING)]);
        assert!(!world.knows_secrets());
        shown(&mut world, Source::Authority, []);
        assert!(world.knows_secrets());
    }

    #[test]
    fn trust_counts_only_when_every_consumer_is_known() {
        let mut world = World::default();
        let time = Some(Duration::from_secs(9));
        for source in SOURCES {
            assert_eq!(world.observe(time).trusted_for, None);
            shown(&mut world, source, []);
        }
        assert_eq!(world.observe(time).trusted_for, time);
    }

    #[test]
    fn what_a_watch_does_not_show_again_is_gone_and_what_other_watches_show_stays() {
        let mut world = World::default();
        shown(&mut world, Source::Serving, [secret(secret::SERVING)]);
        for (index, name) in MUTATING.into_iter().enumerate() {
            shown(&mut world, Source::Mutating(index), [configuration(name)]);
        }
        shown(&mut world, Source::Mutating(0), []);
        shown(&mut world, Source::Serving, []);
        let names: Vec<_> = world.consumers.keys().map(|id| id.name.as_str()).collect();
        assert_eq!(names, [MUTATING[1]]);
        assert!(world.serving.is_none());
        world.take(Source::Mutating(1), Event::Delete(configuration(MUTATING[1])));
        assert!(world.consumers.is_empty());
    }

    #[test]
    fn a_kind_that_is_not_converted_by_a_webhook_is_no_consumer() {
        let definition = |conversion| {
            let spec = json!({"group": GROUP, "names": {"kind": "A", "plural": "as"}, "conversion": conversion});
            serde_json::from_value(json!({"metadata": {"name": "as"}, "spec": spec})).unwrap()
        };
        for conversion in [json!(null), json!({"strategy": "None"})] {
            assert!(matches!(of_definition(definition(conversion)), Object::Consumer(_, None)));
        }
        let webhook = json!({"conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://localhost/convert"}});
        let called = definition(json!({"strategy": "Webhook", "webhook": webhook}));
        assert!(matches!(of_definition(called), Object::Consumer(_, Some(_))));
    }
}
