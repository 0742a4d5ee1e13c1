//! What profiles inherit, for hosts that lack it.
//!
//! The modules bear the names under which udica and the reference's operator install theirs. Ours have a priority below that of any
//! distribution, so that whatever the host has, or gets later, takes their place without anybody's doing.

use super::store::Store;
use crate::Digest;

/// The priority of our templates.
pub(super) const PRIORITY: u16 = 90;

/// A module of templates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Template {
    pub(super) module: &'static str,
    pub(super) text: &'static str,
}

macro_rules! template {
    ($module:literal) => {
        Template { module: $module, text: include_str!(concat!("templates/", $module, ".cil")) }
    };
}

/// Those that there are. `base_container` has the block `container`.
pub(super) const TEMPLATES: [Template; 8] = [
    template!("base_container"),
    template!("net_container"),
    template!("log_container"),
    template!("config_container"),
    template!("home_container"),
    template!("tmp_container"),
    template!("tty_container"),
    template!("selinuxrecording"),
];

/// The text of a module of templates.
pub(super) fn text(module: &str) -> Option<&'static str> {
    TEMPLATES.iter().find(|template| template.module == module).map(|template| template.text)
}

/// Those that are to be installed on a host with these modules. `has_container` says whether its policy has the type of the template
/// `container`, which somebody may have brought in a module of another name.
pub(super) fn lacking(store: &Store, has_container: bool) -> Vec<Template> {
    TEMPLATES.into_iter().filter(|template| is_lacking(*template, store, has_container)).collect()
}

fn is_lacking(template: Template, store: &Store, has_container: bool) -> bool {
    let mut others = store.named(template.module).filter(|module| module.priority != PRIORITY);
    match store.get(PRIORITY, template.module) {
        _ if others.next().is_some() => false,
        // One whose digest the tool does not tell may be of an older version, but it works.
        Some(ours) => ours.digest.is_some_and(|digest| digest != Digest::of(template.text.as_bytes())),
        None => template.module != "base_container" || !has_container,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which templates a host with these modules lacks.
    fn lacking_on(modules: &str, has_container: bool) -> Vec<&'static str> {
        lacking(&Store::parse(modules.as_bytes()), has_container).iter().map(|template| template.module).collect()
    }

    fn all_but(those: &[&str]) -> Vec<&'static str> {
        TEMPLATES.iter().map(|template| template.module).filter(|module| !those.contains(module)).collect()
    }

    #[test]
    fn a_host_gets_the_templates_that_it_lacks() {
        assert_eq!(lacking_on("100 base pp\n", false), all_but(&[]));
        let of_udica = "400 base_container cil\n400 net_container cil\n";
        assert_eq!(lacking_on(of_udica, true), all_but(&["base_container", "net_container"]));
        assert_eq!(lacking_on("400 my_templates cil\n", true), all_but(&["base_container"]));
    }

    #[test]
    fn ours_are_replaced_when_they_changed_and_left_alone_otherwise() {
        let ours = |text: fn(&Template) -> String| {
            TEMPLATES
                .iter()
                .map(|template| format!("090 {} cil {}\n", template.module, text(template)))
                .collect::<String>()
        };
        let same = ours(|template| Digest::of(template.text.as_bytes()).to_string());
        let older = ours(|_| Digest::of(b"older").to_string());
        let unknown = ours(|_| String::new());
        assert_eq!(lacking_on(&same, true), Vec::<&str>::new());
        assert_eq!(lacking_on(&older, true), all_but(&[]));
        assert_eq!(lacking_on(&unknown, true), Vec::<&str>::new());
        assert_eq!(lacking_on(&format!("{older}400 base_container cil\n"), true), all_but(&["base_container"]));
    }

    #[test]
    fn templates_are_blocks_of_cil() {
        for template in TEMPLATES {
            let nodes = crate::selinux::cil::parse(template.text.as_bytes()).unwrap();
            assert!(nodes.iter().all(|node| node.to_string().starts_with("(block ")), "{}", template.module);
        }
    }
}
