# Run by the first process of a guest, to make it a node: network, containerd, kubelet. Its own settings are in /job.
# What this prints is in the cluster's folder as log/guest-NAME; lines of `say` are on the guest's console.
box=/usr/bin/busybox
say() {
    read -r up _ </proc/uptime
    echo "node: $* at ${up}s" >/dev/console
}
. /job/node.env
for module in failover net_failover virtio_net llc stp bridge veth; do
    $box insmod /usr/lib/modules/guest/$module.ko || say "cannot load $module"
done
$box hostname "$node"
device=$(echo /sys/class/net/*/device | cut -d/ -f5)
$box ip link set "$device" up
$box ip address add "$address/16" dev "$device"
$box ip route add default via 10.88.0.1
echo 1 >/proc/sys/net/ipv4/ip_forward
echo "$address $node" >>/etc/hosts
$box mount --make-rshared /
# A range of categories would keep containers from the pipes that containerd holds for them.
engine=
[ ! -e /sys/fs/selinux/enforce ] || engine="runcon system_u:system_r:container_engine_t:s0"
$engine containerd --config /job/containerd.toml --log-level warn 2>&1 &
until [ -S /run/containerd/containerd.sock ]; do $box sleep 0.1; done
say "containerd answers"
# Whatever ends the kubelet, it comes back, as a service of systemd does.
while :; do
    /job/kubelet --config /job/kubelet.json --kubeconfig /job/kubeconfig --root-dir /var/lib/node1/kubelet \
        --hostname-override "$node" --node-ip "$address" --housekeeping-interval 60s 2>&1
    say "the kubelet ended with $?"
    $box sleep 1
done
