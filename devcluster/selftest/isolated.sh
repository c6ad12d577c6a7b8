#!/bin/sh
# Runs a command where it may start and kill a node, though the machine's one
# node may be in use: in network and mount namespaces of its own, with fresh
# versions of the folders that Kubernetes has compiled in.
set -eu

if [ "${DEVCLUSTER_ISOLATED:-}" != yes ]; then
	DEVCLUSTER_ISOLATED=yes exec unshare --net --mount --propagation private sh "$0" "$@"
fi

ip link set lo up
layers=$(mktemp -d)
mount -t tmpfs tmpfs "$layers"
for dir in /var/lib /var/log /opt /usr/libexec; do
	mkdir -p "$layers/upper$dir" "$layers/work$dir"
	mount -t overlay overlay -o "lowerdir=$dir,upperdir=$layers/upper$dir,workdir=$layers/work$dir" "$dir"
done
rm -rf /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers /usr/libexec/kubernetes /opt/cni
mount -t tmpfs tmpfs /run

status=0
"$@" || status=$?
# The mounts end with the namespace; the folder is the machine's.
umount -l "$layers" && rmdir "$layers"
exit "$status"
