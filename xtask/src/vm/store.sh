# ROOT DISK TAR…: in mounts of its own, has the containerd of the guest in ROOT import each TAR, and makes DISK of what it keeps.
root=$1 disk=$2 store=$1/var/lib/containerd
shift 2
# In memory, where layers can be stacked whatever the machine's own disk is.
mount -t tmpfs -o mode=0711 store "$store"
mount -t tmpfs run "$root/run"
mount --bind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
chroot "$root" /usr/bin/containerd --log-level error >"$root/run/log" 2>&1 &
daemon=$!
trap 'cat "$root/run/log" >&2; kill -9 $daemon' EXIT
for _ in $(seq 200); do
    chroot "$root" /usr/bin/ctr version >/dev/null 2>&1 && break
    sleep 0.1
done
for tar; do
    cat "$tar" >"$root/run/image.tar"
    chroot "$root" /usr/bin/ctr --namespace k8s.io images import /run/image.tar >>"$root/run/log" 2>&1
done
kill $daemon
wait $daemon || true
trap - EXIT
"$root/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" "$root/usr/sbin/setfiles" \
    -F -r "$root" "$root/etc/selinux/mini/contexts/files/file_contexts" "$store" >&2
# Room for what pods write.
size=$(($(du -sm "$store" | cut -f1) * 9 / 8 + 1024))
rm -f "$disk"
/sbin/mkfs.ext4 -q -F -m 0 -O ^has_journal -L store -d "$store" "$disk" "${size}M"
