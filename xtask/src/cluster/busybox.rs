//! The image of the tests' workloads, which also keeps the pods' sandboxes: Debian's static busybox.

use std::path::Path;

use anyhow::{Context, Result};

use crate::image::pack::{Image, Layer};
use crate::run::Run;

/// Its name on the node.
pub(crate) const NAME: &str = "localhost/busybox:1";

/// Packs it.
pub(super) fn pack(to: &Path) -> Result<()> {
    let program = Path::new("/bin/busybox");
    let mut layer = Layer::default();
    layer.file("bin/busybox", program, 0o755)?;
    let applets = Run::new(program).arg("--list").quiet().output()?;
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        layer.link(&format!("bin/{applet}"), "busybox");
    }
    layer.dir("tmp", 0o1777);
    let image =
        Image { name: NAME, command: &["/bin/busybox", "sleep", "infinity"], path: "/bin", user: None, quick: true };
    image.pack(layer, to).map(drop).with_context(|| format!("cannot pack {}", to.display()))
}
