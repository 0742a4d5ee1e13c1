//! Where things are on the host.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The folder that the profiles folder is a link to, so that a process without privileges can write there.
pub const STATE: &str = "/var/lib/security-profiles-operator";
/// The file in it that says where the kubelet keeps its files.
pub const KUBELET_CONFIG: &str = "/var/lib/security-profiles-operator/kubelet-config.json";
/// Where the kubelet keeps its files, if nothing says otherwise.
pub const KUBELET: &str = "/var/lib/kubelet";
/// Where statuses of a folder's profiles go, if nothing says otherwise.
pub const STATUSES: &str = "/run/security-profiles-operator/status";

/// Where the certificate of metrics is mounted.
pub const METRICS: &str = "/var/run/secrets/metrics";

/// The content of [`KUBELET_CONFIG`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KubeletConfig {
    /// The folder.
    pub kubelet_dir: PathBuf,
}

/// `path` of the host whose files are below `root`.
pub fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The kubelet's folder: what the command line says, else the init step's file, else the environment or the default.
pub fn kubelet(root: &Path, flag: Option<&Path>, otherwise: &Path) -> PathBuf {
    let written = || {
        let text = std::fs::read(below(root, Path::new(KUBELET_CONFIG))).ok()?;
        Some(serde_json::from_slice::<KubeletConfig>(&text).ok()?.kubelet_dir)
    };
    let folder = flag.map(Path::to_owned).or_else(written).unwrap_or_else(|| otherwise.to_owned());
    Path::new("/").join(folder)
}

/// The profiles folder, as the host names it.
pub fn profiles(kubelet: &Path) -> PathBuf {
    kubelet.join("seccomp/operator")
}

/// The profiles folder where this process finds it: the link that the init step makes leads to a path of the host.
pub fn profiles_here(root: &Path, kubelet: &Path) -> PathBuf {
    let folder = below(root, &profiles(kubelet));
    match std::fs::read_link(&folder) {
        Ok(target) if target == Path::new(STATE) => below(root, &target),
        _ => folder,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_over_the_file_and_the_file_over_the_default() {
        let root = tempfile::tempdir().unwrap();
        let default = Path::new(KUBELET);
        assert_eq!(kubelet(root.path(), None, default), default);
        let file = below(root.path(), Path::new(KUBELET_CONFIG));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, r#"{"kubeletDir":"var/data/kubelet"}"#).unwrap();
        assert_eq!(kubelet(root.path(), None, default), Path::new("/var/data/kubelet"));
        assert_eq!(kubelet(root.path(), Some(Path::new("/k")), default), Path::new("/k"));
    }

    #[test]
    fn the_link_of_the_init_step_leads_into_the_root() {
        let root = tempfile::tempdir().unwrap();
        let seccomp = root.path().join("k/seccomp");
        std::fs::create_dir_all(&seccomp).unwrap();
        assert_eq!(profiles_here(root.path(), Path::new("/k")), seccomp.join("operator"));
        std::os::unix::fs::symlink(STATE, seccomp.join("operator")).unwrap();
        assert_eq!(profiles_here(root.path(), Path::new("/k")), below(root.path(), Path::new(STATE)));
    }
}
