#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# image.sh: make the tree of the demo, an ext4 image with three directories of
# the kernel's source and planted secrets. Prints its path.
. "$(dirname "$0")/../../kernel/scripts/common.sh"
[ -n "${FUSE_BPF_INSIDE:-}" ] || exec "$TOP/selftests/vm/enter.sh" /src/tools/demo/image.sh

IMAGE=$CACHE/demo-$(digest tools/demo/image.sh kernel/BASE).img
PARTS=(Documentation fs include)

# Each secret holds a word that grep can look for.
plant() {
	echo "API_KEY=planted-secret-1" >"$1/fs/.env"
	echo "API_KEY=planted-secret-2" >"$1/Documentation/admin-guide/.env"
	echo "planted-secret-3" >"$1/include/linux/id_rsa"
	echo "planted-secret-4" >"$1/fs/ext4/server.pem"
	echo "planted-secret-5" >"$1/Documentation/filesystems/client.pem"
}

make_image() {
	local stage=$CACHE/demo-stage part

	[ ! -e "$IMAGE" ] || return 0
	pristine
	need_space "$CACHE" 2
	say "making the demo's tree: $(printf '%s/ ' "${PARTS[@]}")of the kernel, on ext4"
	rm -rf "$stage"
	mkdir -p "$stage/linux"
	for part in "${PARTS[@]}"; do
		cp -a "$PRISTINE/$part" "$stage/linux/"
	done
	plant "$stage/linux"
	mke2fs -q -t ext4 -E root_owner=0:0 -d "$stage" "$IMAGE.part" 600M >"$CACHE/demo.log" 2>&1 ||
		die "cannot make the demo's file system; see $CACHE/demo.log"
	rm -rf "$stage"
	mv "$IMAGE.part" "$IMAGE"
}

locked demo make_image
echo "$IMAGE"
