//! The settings of the node's programs: containerd, its network plugins, and the kubelet.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::dir::Dir;
use super::namespace::{BRIDGE, LAST_POD_ADDRESS, POD_ADDRESSES};
use super::{busybox, cgroup};

/// The kubelet's folder, as the node sees it: not the usual one, so that whatever takes that for granted is found out.
pub(crate) const KUBELET_DIR: &str = "/var/lib/node1/kubelet";

/// containerd's usual socket, as the node sees it.
pub(super) const SOCKET: &str = "/run/containerd/containerd.sock";

/// Where Debian's CNI plugins are.
const CNI: &str = "/usr/lib/cni";

/// Layers are stacked by overlayfs, but not on top of another overlayfs, which the disk of a container is.
pub(super) fn snapshotter(dir: &Path) -> Result<&'static str> {
    const OVERLAYFS: i64 = 0x794c_7630;
    let system = rustix::fs::statfs(dir).with_context(|| format!("cannot look at {}", dir.display()))?;
    Ok(if system.f_type == OVERLAYFS { "native" } else { "overlayfs" })
}

/// The file of containerd.
pub(super) fn containerd(dir: &Dir, snapshotter: &str) -> String {
    let cni = dir.join("cni");
    format!(
        r#"version = 2
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{image}"
# Without CAP_SYS_RESOURCE no process can be protected from the out-of-memory killer, and runc would die trying.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{snapshotter}"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{CNI}"
conf_dir = "{cni}"
"#,
        image = busybox::NAME,
        cni = cni.display(),
    )
}

/// The network of pods: a bridge, and ports of the host.
pub(super) fn network() -> serde_json::Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "spo",
        "plugins": [
            {
                "type": "bridge", "bridge": BRIDGE, "isGateway": true, "ipMasq": true, "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": POD_ADDRESSES, "rangeEnd": LAST_POD_ADDRESS}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
}

/// The file of the kubelet.
pub(super) fn kubelet(dir: &Dir) -> serde_json::Value {
    let pki = |file| dir.join("pki").join(file);
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "cgroupRoot": cgroup::root(dir),
        "cgroupDriver": "cgroupfs",
        // 1.36 refuses hosts with the old control groups unless told otherwise.
        "failCgroupV1": false,
        "failSwapOn": false,
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": pki("ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": pki("kubelet.crt"),
        "tlsPrivateKeyFile": pki("kubelet.key"),
        // Otherwise an image that was once pulled is refused under its other names.
        "imagePullCredentialsVerificationPolicy": "NeverVerify",
        // A full disk is the machine's business.
        "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%", "memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        "resolvConf": dir.join("resolv.conf"),
        "volumePluginDir": format!("{KUBELET_DIR}/volume-plugins"),
        "syncFrequency": "5s",
        "maxPods": 60,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_disk_gets_overlays() {
        assert_eq!(snapshotter(Path::new("/proc")).unwrap(), "overlayfs");
    }

    #[test]
    fn the_kubelet_is_not_where_everybody_expects_it() {
        let settings = kubelet(&Dir::at("/c"));
        assert_eq!(settings["volumePluginDir"], "/var/lib/node1/kubelet/volume-plugins");
        assert_eq!(settings["containerRuntimeEndpoint"], "unix:///run/containerd/containerd.sock");
    }
}
