//! The settings of a guest's programs: containerd, its network plugins, and the kubelet.

use serde_json::{Value, json};

use super::super::busybox;
use super::super::control::Plan;
use super::super::namespace::NODE_ADDRESS;
use super::super::settings::{KUBELET_DIR, SOCKET};

/// Where the API server is, seen from a guest.
pub(super) fn server(plan: &Plan) -> String {
    format!("https://{NODE_ADDRESS}:{}", plan.ports.api)
}

/// The file of containerd. crun starts faster than runc where the processor is emulated; both are there.
pub(super) fn containerd() -> String {
    format!(
        r#"version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing", "io.containerd.nri.v1.nri"]
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{image}"
# Does nothing where SELinux is not live.
enable_selinux = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "/job/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "crun"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.crun]
runtime_type = "io.containerd.runc.v2"
options = {{ BinaryName = "/usr/bin/crun", SystemdCgroup = false }}
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
options = {{ BinaryName = "/usr/sbin/runc", SystemdCgroup = false }}
"#,
        image = busybox::NAME,
    )
}

/// The network of pods.
pub(super) fn network(pods: &str) -> Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "spo",
        "plugins": [{
            "type": "bridge", "bridge": "pods", "isGateway": true, "hairpinMode": true,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": pods}]], "routes": [{"dst": "0.0.0.0/0"}]},
        }],
    })
}

/// The file of the kubelet.
pub(super) fn kubelet() -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        // There is no systemd to ask for groups, and no iptables.
        "cgroupDriver": "cgroupfs",
        "makeIPTablesUtilChains": false,
        "failSwapOn": false,
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": "/job/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": "/job/pki/kubelet.crt",
        "tlsPrivateKeyFile": "/job/pki/kubelet.key",
        // Otherwise an image that was once pulled is refused under its other names.
        "imagePullCredentialsVerificationPolicy": "NeverVerify",
        "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%", "memory.available": "50Mi"},
        "imageGCHighThresholdPercent": 100,
        "volumePluginDir": format!("{KUBELET_DIR}/volume-plugins"),
        "maxPods": 60,
        // What tests kill again and again is to come back at once.
        "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"},
    })
}
