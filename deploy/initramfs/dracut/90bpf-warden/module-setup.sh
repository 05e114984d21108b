#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# dracut: the guard before anything else runs. Goes to /usr/lib/dracut/modules.d/90bpf-warden.
# Then: dracut --force

check() {
	[ -x "${dracutsysrootdir:-}/usr/lib/bpf-warden/warden-load" ] || return 1
	return 0
}

depends() {
	return 0
}

install() {
	inst_binary /usr/lib/bpf-warden/warden-load
	for name in policy operators revision accepted; do
		inst_simple "/etc/warden/boot/$name" 2>/dev/null || :
	done
	# cmdline is the first hook, before udev; pre-pivot the last, with the real root in place.
	inst_hook cmdline 00 "$moddir/load.sh"
	inst_hook pre-pivot 99 "$moddir/hand-over.sh"
}
