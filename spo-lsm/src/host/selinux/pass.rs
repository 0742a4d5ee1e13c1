//! One pass over some steps: judge, change the store in one transaction, and see whether the kernel has it.

use spo_api::Module;

use super::judge::{self, Install, module_name};
use super::memory::{mark, mark_of_host};
use super::scratch::Scratch;
use super::semodule::Semodule;
use super::settle::Failure;
use super::store::Store;
use super::transaction::{Item, What, change};
use super::{PRIORITY, SelinuxHost, origin, templates, type_of};
use crate::Artifact;
use crate::host::{Change, HostError, Step};

/// What a pass works with.
pub(super) struct Pass<'a> {
    pub(super) host: &'a mut SelinuxHost,
    pub(super) store: Store,
    pub(super) scratch: Scratch,
    pub(super) semodule: Semodule,
}

type Results = Vec<Result<Change, HostError>>;

impl Pass<'_> {
    /// Carries out steps that name each file once.
    pub(super) fn run(mut self, steps: &[Step]) -> Results {
        let mut hopeless = self.host.memory.hopeless(steps, &self.store);
        let mut items = Vec::new();
        let judge = |(place, step)| match hopeless.remove(&place) {
            Some(error) => Err(error),
            None => self.judge(place, step, &mut items),
        };
        let mut results: Results = steps.iter().enumerate().map(judge).collect();
        if results.contains(&Ok(Change::Written)) {
            self.templates(&mut items);
        }
        if !items.is_empty() {
            let failures = change(&self.semodule, &items, &self.host.runtime);
            self.failed(&failures, &items, &mut results);
            match self.host.list() {
                Ok(store) => self.store = store,
                Err(error) => return results.into_iter().map(|result| result.and(Err(error.clone()))).collect(),
            }
            self.remember(&failures, &items, steps);
        }
        self.prove(steps, &mut results);
        results
    }

    /// What comes of a step if its change, which is added to `items`, can be made.
    fn judge(&self, place: usize, step: &Step, items: &mut Vec<Item>) -> Result<Change, HostError> {
        HostError::unless_of(Module::Selinux, step)?;
        let name = module_name(step.file_name())?;
        let mut item = |what| items.push(Item { name: name.to_owned(), priority: PRIORITY, what, step: Some(place) });
        match step {
            Step::Install { artifact, .. } => {
                let Install::Write { displaced } = self.install(name, artifact)? else { return Ok(Change::Unchanged) };
                let path = self.scratch.write(&artifact.file_name, &artifact.bytes)?;
                item(What::Install { path, displaced });
                Ok(Change::Written)
            }
            Step::Remove { .. } if self.store.get(PRIORITY, name).is_some() => {
                item(What::Remove);
                Ok(Change::Removed)
            }
            Step::Remove { .. } => Ok(Change::Absent),
        }
    }

    fn install(&self, name: &str, artifact: &Artifact) -> Result<Install, HostError> {
        let known = self.host.written.get(name).copied();
        judge::install(&self.store, name, artifact.digest(), known, |module| {
            let text = self.semodule.text(module.priority, name, &self.scratch)?;
            Ok(origin::is_of_the_reference(name, &text))
        })
    }

    /// Adds the templates that the host lacks. One that cannot be written shows in the profiles that want it.
    fn templates(&self, items: &mut Vec<Item>) {
        let has_container = self.host.kernel.has_type("container.process").unwrap_or(false);
        let mark = mark_of_host(&self.store);
        for template in templates::lacking(&self.store, has_container) {
            let (name, text) = (template.module.to_owned(), template.text.as_bytes());
            if self.host.memory.get(&name, mark).is_none()
                && let Ok(path) = self.scratch.write(&format!("{name}.cil"), text)
            {
                let what = What::Install { path, displaced: Vec::new() };
                items.push(Item { name, priority: templates::PRIORITY, what, step: None });
            }
        }
    }

    /// Puts failures where they belong. A profile that failed where a template did too is told of that.
    fn failed(&self, failures: &[Failure], items: &[Item], results: &mut Results) {
        let templates = failures.iter().filter(|failure| items[failure.place].step.is_none());
        let template = templates.map(|failure| &failure.error).next();
        for Failure { place, error, is_its_own } in failures {
            let Some(step) = items[*place].step else { continue };
            results[step] = Err(match (template, error) {
                (Some(template), HostError::Tool { tool, message, may_pass }) if *is_its_own => {
                    let message = format!("{message}; a template could not be installed: {template}");
                    HostError::Tool { tool, message, may_pass: *may_pass }
                }
                _ => error.clone(),
            });
        }
    }

    /// Remembers what is not to be tried again on this host as it is now.
    fn remember(&mut self, failures: &[Failure], items: &[Item], steps: &[Step]) {
        for Failure { place, error, .. } in failures.iter().filter(|failure| failure.is_its_own) {
            let item = &items[*place];
            let mark = match item.step.map(|step| &steps[step]) {
                None => mark_of_host(&self.store),
                Some(Step::Install { checked, artifact }) => mark(&self.store, artifact, checked),
                Some(Step::Remove { .. }) => continue,
            };
            self.host.memory.failed(&item.name, mark, error.clone());
        }
    }

    /// Looks whether what was installed is in the store, and in the kernel.
    fn prove(&mut self, steps: &[Step], results: &mut Results) {
        let mut rebuilt = None;
        for (step, result) in steps.iter().zip(results).filter(|(_, result)| result.is_ok()) {
            let Ok(name) = module_name(step.file_name()) else { continue };
            match step {
                Step::Install { artifact, .. } => match self.proven(name, artifact, &mut rebuilt) {
                    Ok(()) => {
                        self.host.written.insert(name.to_owned(), artifact.digest());
                        self.host.memory.forget(name);
                    }
                    Err(error) => *result = Err(error),
                },
                Step::Remove { .. } => {
                    self.host.written.remove(name);
                    self.host.memory.forget(name);
                }
            }
        }
    }

    /// Whether a module is in the store as it should be, and its type in the kernel, which is given the policy again where it lacks one.
    fn proven(
        &self,
        name: &str,
        artifact: &Artifact,
        rebuilt: &mut Option<Result<(), HostError>>,
    ) -> Result<(), HostError> {
        let but = |but: &str| HostError::NotInForce { name: name.to_owned(), but: but.to_owned() };
        let Some(module) = self.store.get(PRIORITY, name) else {
            return Err(but("does not have it, since it is not in the store"));
        };
        if module.digest.is_some_and(|digest| digest != artifact.digest()) {
            return Err(but("has another one, since the store has another text"));
        }
        if !self.store.is_in_force(module) {
            return Err(but("has another one, since a module of this name is above it"));
        }
        let has_type = || self.host.kernel.has_type(&type_of(name));
        if !origin::brings_process(&artifact.bytes) || has_type()? {
            return Ok(());
        }
        rebuilt.get_or_insert_with(|| self.semodule.rebuild()).clone()?;
        if has_type()? { Ok(()) } else { Err(but("does not know its type")) }
    }
}
