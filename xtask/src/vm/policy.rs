//! The SELinux policies of a guest.
//!
//! Two stores. `default` has the few of Debian's modules that containers need, as they are. `mini` has the same types, classes, labels and
//! constraints, but of the rules only those for every domain and those for containers: all of `semodule`'s work is proportional to the rules,
//! and each of its calls takes 1 to 2 seconds instead of 8 (with all 331 modules of Debian: 45). In both, containers are the module `container`
//! by itself, so that `semodule -d container` makes a host whose policy knows no containers, as older ones are, and `-e` one that does. Neither
//! has the block `container` that profiles inherit from: Debian has no package that brings it.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use crate::run::Run;

/// Debian's modules that `container` needs, and `unconfined` for what is not to be confined.
const BASE: &[&str] = &["base", "unconfined", "clock", "iptables", "lvm", "xdg"];

const CONTAINER: &str = "container";

/// Where Debian keeps its modules.
const MODULES: &str = "/usr/share/selinux/default";

/// Debian's list of users names one, `xdm`, that only a module for graphical logins defines.
const SHIM: &str = "(user xdm)\n(userrole xdm object_r)\n(userrole xdm system_r)\n(userlevel xdm (s0))\n\
                    (userrange xdm ((s0) (s0)))\n";

/// What privileged containers run as may do everything in Debian's policy too, but there by rules of other modules that the small one has not.
const PRIVILEGED: &str = "(typeattributeset may_all (spc_t))\n";

/// Lets the first process, which stays in the kernel's domain, start containerd as systemd would. That domain only reports: Debian's policy does
/// not foresee all that containerd does. The domains of containers are confined.
/// Optional, because without the module `container` there is no such domain.
const NODE: &str = "(optional guest_node\n\
                    (typepermissive container_engine_t)\n\
                    (allow kernel_t container_engine_t (process (transition noatsecure siginh rlimitinh))))\n";

/// Makes both stores in a guest's root, and labels its files.
pub(super) fn install(root: &Path) -> Result<()> {
    write(root, "shim.cil", SHIM)?;
    write(root, "node.cil", NODE)?;
    let debian: Vec<String> = BASE.iter().chain([&CONTAINER]).map(|name| format!("{MODULES}/{name}.pp.bz2")).collect();
    let store = root.join("etc/selinux");
    alias(&store.join("default/contexts/files/file_contexts.subs_dist"))?;
    semodule(root, "default", &debian)?;
    Run::new("cp").arg("-a").arg(store.join("default")).arg(store.join("mini")).quiet().run()?;
    write(root, "mini.cil", &mini(root)?)?;
    write(root, "container.cil", &(plain(root, CONTAINER)? + PRIVILEGED))?;
    semodule(root, "mini", &["mini.cil", "container.cil"].map(|name| format!("{MODULES}/{name}")))?;
    label(root)
}

/// Has the policy take one folder for another.
fn alias(file: &Path) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    fs::write(file, text + &super::root::aliases()).with_context(|| format!("cannot write {}", file.display()))
}

fn write(root: &Path, name: &str, text: &str) -> Result<()> {
    let path = root.join(&MODULES[1..]).join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Installs modules into a store of the guest, with the guest's own tools, and loads nothing.
fn semodule(root: &Path, store: &str, modules: &[String]) -> Result<()> {
    let mut run = Run::new("chroot").arg(root).args(["semodule", "-X", "100", "-n", "-s", store]);
    for module in ["shim.cil", "node.cil"].map(|name| format!("{MODULES}/{name}")).iter().chain(modules) {
        run = run.args(["-i", module]);
    }
    // It complains at length about users that a guest has not.
    let output = run.quiet().into_command().output().context("cannot start chroot")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the SELinux policy {store} of the guest cannot be built:\n{said}");
    let built = root.join("etc/selinux").join(store).join("policy");
    let any = fs::read_dir(&built).ok().and_then(|mut files| files.next()).is_some();
    ensure!(any, "no SELinux policy {store} came out:\n{said}");
    Ok(())
}

/// The rules for every domain among Debian's own, and all else that is no rule.
fn mini(root: &Path) -> Result<String> {
    let mut kept = String::new();
    let mut classes = Vec::new();
    for name in BASE {
        let text = plain(root, name)?;
        for form in forms(&text) {
            if let ["class", class] = words(form)[..] {
                classes.push(class.to_owned());
            }
            if is_kept(form) {
                kept.extend([form, "\n"]);
            }
        }
    }
    // The first process and the tests run in the kernel's domain.
    kept += "(typeattribute every_type)\n(typeattributeset every_type (all))\n";
    kept += "(typeattribute may_all)\n(typeattributeset may_all (kernel_t unconfined_t))\n";
    kept.extend(classes.iter().map(|class| format!("(allow may_all every_type ({class} (all)))\n")));
    Ok(kept)
}

/// Whether the small policy keeps a statement of Debian's.
fn is_kept(form: &str) -> bool {
    const DROPPED: &[&str] = &[
        "dontaudit",
        "auditallow",
        "neverallow",
        "typetransition",
        "typechange",
        "typemember",
        "booleanif",
        "rangetransition",
        "roletransition",
        "roleallow",
    ];
    /// Whose rules are for everybody: that a program may be linked, read /dev/null, and the like.
    const GENERAL: &[&str] =
        &["domain", "file_type", "device_node", "filesystem_type", "noxattrfs", "tmpfile", "tmpfsfile"];
    match words(form)[..] {
        ["allow", source] => GENERAL.contains(&source),
        ["optional", _] => form.contains("(allow domain "),
        [word, ..] => !DROPPED.contains(&word),
        [] => false,
    }
}

/// The first two words of a statement; what follows a parenthesis is none.
fn words(form: &str) -> Vec<&str> {
    let head = form.trim_start_matches('(');
    let head = head.split(['(', ')']).next().unwrap_or_default();
    head.split_whitespace().take(2).collect()
}

/// The statements of a text in CIL, of which each is in parentheses.
fn forms(text: &str) -> Vec<&str> {
    let (mut found, mut depth, mut quoted, mut start) = (Vec::new(), 0_u32, false, 0);
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '(' if !quoted => {
                if depth == 0 {
                    start = at;
                }
                depth += 1;
            }
            ')' if !quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    found.push(&text[start..=at]);
                }
            }
            _ => {}
        }
    }
    found
}

/// A module of Debian's in CIL.
fn plain(root: &Path, module: &str) -> Result<String> {
    let box_ = root.join("usr/bin/busybox");
    let package = root.join(&MODULES[1..]).join(format!("{module}.pp.bz2"));
    let unpacked = Run::new(box_).arg("bzcat").arg(&package).quiet().into_command().output();
    let unpacked = unpacked.with_context(|| format!("cannot unpack {}", package.display()))?.stdout;
    let compiler = Run::new("chroot").arg(root).arg("/usr/libexec/selinux/hll/pp").quiet();
    let mut child = compiler.into_command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("its input was asked for")?;
    let writer = std::thread::spawn(move || input.write_all(&unpacked));
    let output = child.wait_with_output().context("cannot read what the compiler of modules prints")?;
    ensure!(output.status.success() && writer.join().is_ok_and(|wrote| wrote.is_ok()), "{module} is no SELinux module");
    String::from_utf8(output.stdout).with_context(|| format!("{module} is no text"))
}

/// Labels the files as the policy has it. Run from outside of the root, by the guest's own program and its libraries: inside it would want `/proc`.
fn label(root: &Path) -> Result<()> {
    let contexts = root.join("etc/selinux/mini/contexts/files/file_contexts");
    let run = Run::new(root.join("lib64/ld-linux-x86-64.so.2")).arg("--library-path");
    let run = run.arg(root.join("usr/lib/x86_64-linux-gnu")).arg(root.join("usr/sbin/setfiles"));
    let run = run.args(["-F", "-r"]).arg(root).arg(contexts).arg(root).quiet();
    run.output().map(drop).context("the files of the guest cannot be labelled; this needs root")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart_also_where_a_name_holds_a_parenthesis() {
        let text = "(type a)\n(filecon \"/x(/.*)?\" any (u r t (s0)))\n";
        assert_eq!(forms(text), ["(type a)", "(filecon \"/x(/.*)?\" any (u r t (s0)))"]);
    }

    #[test]
    fn the_small_policy_keeps_types_and_the_rules_for_everybody() {
        for kept in ["(type a_t)", "(allow domain b_t (file (read)))", "(optional o (allow domain c_t (file (read))))"]
        {
            assert!(is_kept(kept), "{kept}");
        }
        for dropped in
            ["(allow sshd_t b_t (file (read)))", "(dontaudit domain b_t (file (read)))", "(optional o (type t))"]
        {
            assert!(!is_kept(dropped), "{dropped}");
        }
    }
}
