#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# Mounts, runs the job from the third disk, writes the fourth, powers off. First process of a guest;
# where systemd is that (debian.ts), a unit of it, and all is mounted.
busybox=/usr/bin/busybox
# What was compiled when the image was made; and how much slower a guest is, for tests that wait.
export NODE_COMPILE_CACHE=/opt/bpf-warden/.node-cache WARDEN_PATIENCE=6
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root TERM=linux
umask 022
mounts() {
	$busybox --install -s /bin 2>/dev/null
	# An initramfs has mounted some of it already; its /run has what early boot left there.
	[ -e /proc/mounts ] || mount -t proc none /proc
	[ -d /sys/kernel ] || mount -t sysfs none /sys
	mount -t devtmpfs none /dev 2>/dev/null
	mkdir -p /dev/pts /dev/shm
	mount -t devpts none /dev/pts
	mount -t tmpfs none /dev/shm
	mount -t securityfs none /sys/kernel/security
	mount -t bpf none /sys/fs/bpf
	mount -t tracefs none /sys/kernel/tracing
	mount -t cgroup2 none /sys/fs/cgroup
	grep -q " /run " /proc/mounts || mount -t tmpfs -o mode=755 none /run
	mount -t tmpfs -o mode=1777 none /tmp
	ln -sf /proc/self/fd /dev/fd
	hostname guest
	ip link set lo up
}
# The number of a name space is ours, the name of its disk the kernel's.
disk() {
	for one in /sys/block/nvme*; do
		[ "$(cat "$one/nsid")" = "$1" ] && echo "/dev/${one##*/}"
	done
}
[ $$ != 1 ] || mounts
mount -t ext4 "$(disk 2)p1" /opt/bpf-warden
tar -xf "$(disk 3)" -C /
if [ -e /job/network ]; then
	modprobe virtio_pci
	modprobe virtio_net
	ip link set eth0 up
	ip addr add 10.0.2.15/24 dev eth0
	ip route add default via 10.0.2.2
fi
cd /opt/bpf-warden || exit 1
echo "guest: up in $(cut -d' ' -f1 /proc/uptime) s" >/dev/console
cut -d' ' -f1 /proc/uptime >/job/up
if [ -e /job/interactive ]; then
	setsid $busybox cttyhack bash </dev/console >/dev/console 2>&1
	$busybox poweroff -f
fi
sh /job/command >/job/stdout 2>/job/stderr </dev/null
echo $? >/job/status
sync
tar -cf "$(disk 4)" -C /job up status stdout stderr
sync
$busybox poweroff -f
