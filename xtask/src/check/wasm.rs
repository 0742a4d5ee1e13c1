//! The pure libraries for WebAssembly, where there is neither a C library nor a system to call.

use anyhow::Result;

use crate::run::{Run, root, target};
use crate::toolchain::Toolchain;

const TARGET: &str = "wasm32-unknown-unknown";

/// Each with what of it is pure.
const PURE: [&[&str]; 3] =
    [&["spo-api"], &["spo-convert"], &["spo-lsm", "--no-default-features", "--features", "seccomp,selinux,apparmor"]];

pub(super) fn run() -> Result<()> {
    // A toolchain may have the target's library, or may be able to fetch it. Building that takes a minute or three, once.
    let built = has_library() || Run::new("rustup").args(["target", "add", TARGET]).succeeds() && has_library();
    let other = if built { None } else { Some(Toolchain::find("checking for WebAssembly")?) };
    for package in PURE {
        let cargo = match &other {
            None => Run::cargo(),
            Some(toolchain) => toolchain.cargo(&[]).arg("-Zbuild-std=std,panic_abort"),
        };
        // A folder of its own: another compiler would throw away what is in the usual one, and the other way round.
        let cargo = cargo.args(["check", "--lib", "--target", TARGET, "--target-dir"]).arg(target().join("wasm"));
        cargo.arg("--package").args(package).dir(root()).run()?;
    }
    Ok(())
}

/// Whether the toolchain that runs this tool has the library of the target.
fn has_library() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let printed = Run::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).quiet().output();
    printed.is_ok_and(|path| std::path::Path::new(path.trim()).is_dir())
}
