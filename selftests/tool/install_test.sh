#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The command as it is installed: by mount(8), from fstab(5), as helper of umount(8), and
# with the completion of bash.
set -u
cd "$(dirname "$0")/../.." || exit 1

BPF=$PWD/build/bpf
PINS=/sys/fs/bpf/fuse-bpf
TOP=$(mktemp -d /tmp/install-XXXXXX)
chmod 755 "$TOP"
DEST=$TOP/dest VIEW=$TOP/view ODD="$TOP/an odd" BACK=$TOP/back
number=0 failed=0

pins() { ls $PINS 2>/dev/null | wc -l; }

# Where mount(8) looks for helpers, which is on a root that is read-only
set_up() {
	mkdir -p "$VIEW" "$ODD" "$BACK/in"
	echo secret >"$BACK/secret"
	echo comma >"$BACK/a,b"
	echo file >"$BACK/file"
	make -s -C tools/fuse-bpf install DESTDIR="$DEST" PREFIX=/usr >"$TOP/log" 2>&1 ||
		{ sed 's/^/# /' "$TOP/log" && return 1; }
	mount -t overlay -o lowerdir="$DEST/usr/sbin:/usr/sbin" overlay /usr/sbin
}

run() {
	local good=0 dir

	number=$((number + 1))
	"$2" || good=1
	for dir in "$VIEW" "$ODD"; do
		while mountpoint -q "$dir"; do umount -i "$dir" || { good=1 && break; }; done
	done
	rm -f $PINS/*
	[ $good -eq 0 ] && echo "ok $number $1" || { failed=1 && echo "not ok $number $1"; }
}

# refuses STATUS TEXT WORD...: mount -t fuse_bpf ends so, and nothing is mounted or pinned
refuses() {
	local want=$1 text=$2 status=0 said

	shift 2
	said=$(mount -t fuse_bpf "$@" 2>&1) || status=$?
	[ "$status" -eq "$want" ] && [[ $said = *"$text"* ]] && ! mountpoint -q "$VIEW" && [ "$(pins)" -eq 0 ] ||
		{ echo "# mount -t fuse_bpf $*: exit $status, not $want; '$said', not '$text'" && return 1; }
}

files_are_there() {
	local file

	for file in sbin/fuse-bpf sbin/mount.fuse_bpf sbin/umount.fuse_bpf \
		share/man/man5/fuse-bpf-policy.5 \
		share/man/man5/fuse-bpf-recording.5 share/man/man8/fuse-bpf.8 \
		share/man/man8/mount.fuse_bpf.8 share/bash-completion/completions/fuse-bpf; do
		[ -e "$DEST/usr/$file" ] || { echo "# no $file" && return 1; }
	done
	[ "$(fuse-bpf -j version | head -c 11)" = '{"version":' ]
}

by_type() {
	mount -t fuse_bpf -o ro,nosuid,noexec,noatime,allow_other "$BACK" "$VIEW" || return
	findmnt -no OPTIONS "$VIEW" | grep -q '^ro,nosuid,noexec,noatime' || return
	! touch "$VIEW/new" 2>/dev/null && setpriv --reuid=1000 --clear-groups cat "$VIEW/file" >"$TOP/log" || return
	umount.fuse_bpf "$VIEW" && ! mountpoint -q "$VIEW" || return
	mount -t fuse_bpf "$BACK" "$VIEW" \
		-o "source=tree,filter=$BPF/hide.bpf.o,set=hide_names:secret,set=hide_names:a\\,b,fail_open" || return
	[ "$(findmnt -no SOURCE "$VIEW")" = tree ] && [ ! -e "$VIEW/secret" ] && [ ! -e "$VIEW/a,b" ] || return
	[ -e "$VIEW/file" ] && ! setpriv --reuid=1000 --clear-groups cat "$VIEW/file" 2>/dev/null || return
	fuse-bpf ls "$VIEW" | grep -q 'hide.*fail_open' && [ "$(pins)" -eq 1 ] || return
	# Somebody uses it
	! (cd "$VIEW" && umount.fuse_bpf "$VIEW" 2>"$TOP/log") && grep -q 'which is in use' "$TOP/log" || return
	(cd "$VIEW" && umount.fuse_bpf -l "$VIEW" >"$TOP/log" && [ "$(pins)" -eq 1 ]) && ! mountpoint -q "$VIEW"
}

by_fstab() {
	cat >"$TOP/fstab" <<-END
		$BACK $VIEW fuse_bpf defaults,nofail,x-systemd.automount,filter=$BPF/hide.bpf.o,set=hide_names:secret,dir=in 0 0
		$BACK ${ODD// /\\040} fuse_bpf noauto,rw,filter=$BPF/hide.bpf.o,set=hide_names:secret 0 0
	END
	mount -T "$TOP/fstab" -a && mountpoint -q "$VIEW" && ! mountpoint -q "$ODD" || return
	[ -e "$VIEW/secret" ] && mount -T "$TOP/fstab" "$ODD" && [ ! -e "$ODD/secret" ] || return
	[ "$(pins)" -eq 2 ] && umount.fuse_bpf "$VIEW" && umount.fuse_bpf "$ODD" && [ "$(pins)" -eq 0 ]
}

bad_options() {
	refuses 1 "no mount option 'nonsense'" -o nonsense "$BACK" "$VIEW" || return
	refuses 1 "no mount option 'allow'" -o allow "$BACK" "$VIEW" || return
	refuses 1 "no mount option 'filter'" -o filter "$BACK" "$VIEW" || return
	refuses 1 "must be set=MAP:KEY" -o "filter=$BPF/hide.bpf.o,set=hide_names" "$BACK" "$VIEW" || return
	refuses 1 "set comes after filter FILE" -o "set=a:b,filter=$BPF/hide.bpf.o" "$BACK" "$VIEW" || return
	refuses 32 "No such file" "$TOP/none" "$VIEW" || return
	refuses 32 "has no map none" -o "filter=$BPF/hide.bpf.o,set=none:x" "$BACK" "$VIEW" || return
	refuses 32 "$VIEW/none" -o "filter=$BPF/hide.bpf.o" "$BACK" "$VIEW/none" || return
	mount.fuse_bpf "$BACK" "$VIEW" -o noatime,strictatime 2>"$TOP/log"
	[ $? -eq 1 ] && grep -q 'exclude each other' "$TOP/log" && ! mountpoint -q "$VIEW" || return
	setpriv --reuid=1000 --clear-groups mount.fuse_bpf "$BACK" "$VIEW" 2>"$TOP/log"
	[ $? -eq 32 ] && grep -q CAP_SYS_ADMIN "$TOP/log" && ! mountpoint -q "$VIEW" || return
	mount.fuse_bpf "$BACK" "$VIEW" -f && ! mountpoint -q "$VIEW" || return
	mount.fuse_bpf "$BACK" "$VIEW" -s -o nonsense && mountpoint -q "$VIEW"
}

# completes EXPECTED WORD...: what bash offers for the last word, in order, on one line
completes() {
	local want=$1 got

	shift
	got=$(
		# shellcheck disable=SC1091
		. "$DEST/usr/share/bash-completion/completions/fuse-bpf"
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		$(complete -p fuse-bpf | sed 's/.*-F \([^ ]*\).*/\1/') fuse-bpf
		echo "${COMPREPLY[*]}"
	)
	[ "$got" = "$want" ] || { echo "# $*: '$got', not '$want'" && return 1; }
}

completion() {
	local odd=${ODD// /\\ }

	fuse-bpf -j mount "$BACK" "$VIEW" filter "$BPF/hide.bpf.o" filter "$BPF/noop.bpf.o" >"$TOP/log" &&
		fuse-bpf -j mount "$BACK" "$ODD" >"$TOP/log" || return
	completes "mount run umount ls attach replace detach stat feature doctor test explain trace record replay inodes policy help version" fuse-bpf "" || return
	completes "detach" fuse-bpf -j de || return
	completes "op" fuse-bpf explain "$VIEW" file o || return
	completes "OPEN OPENDIR" fuse-bpf explain "$VIEW" file op O || return
	completes "daemon" fuse-bpf trace "$VIEW" verdict d || return
	completes "$BACK/secret" fuse-bpf test "$VIEW" "$BACK/se" || return
	completes "load log" fuse-bpf policy lo || return
	completes "$VIEW $odd" fuse-bpf policy load "$TOP/" || return
	completes "$BACK/secret" fuse-bpf policy check "$BACK/se" || return
	completes "$BACK/secret" fuse-bpf policy load "$VIEW" "$BACK/se" || return
	completes "mount" fuse-bpf policy diff mou || return
	completes "follow" fuse-bpf policy log "$VIEW" "" || return
	completes "$BACK/secret" fuse-bpf mount "$BACK" "$VIEW" policy "$BACK/se" || return
	completes "$VIEW" fuse-bpf record "$VIEW" || return
	completes "$BACK/secret" fuse-bpf record "$VIEW" "$BACK/se" || return
	completes "limit --" fuse-bpf record "$VIEW" "$BACK/secret" "" || return
	completes "$BACK/secret" fuse-bpf replay "$BACK/se" || return
	completes "policy pin" fuse-bpf replay "$BACK/secret" p || return
	completes "--json" fuse-bpf --j || return
	completes "$VIEW" fuse-bpf detach "$VIEW" || return
	completes "$VIEW $odd" fuse-bpf stat "$TOP/" || return
	completes "$odd" fuse-bpf umount "$TOP/an" || return
	completes "" fuse-bpf ls /nowhere || return
	completes "name 1 2" fuse-bpf detach "$VIEW" "" || return
	completes "hide noop" fuse-bpf detach "$VIEW" name "" || return
	completes "noop" fuse-bpf replace "$VIEW" name n || return
	completes "1 2" fuse-bpf attach "$VIEW" obj x after "" || return
	completes "" fuse-bpf attach "$odd" obj x after "" || return
	completes "lazy" fuse-bpf umount "$VIEW" l || return
	completes "$BPF/hide.bpf.o" fuse-bpf attach "$VIEW" obj "$BPF/hide.b" || return
	completes "$BACK" fuse-bpf mount "$TOP/ba" || return
	completes "nosuid nosymfollow" fuse-bpf mount "$BACK" "$VIEW" nos || return
	completes "$VIEW $odd" fuse-bpf stat -i 2 "$TOP/"
}

set_up || { echo "not ok 1 tool.install" && echo "1..1" && exit 1; }
run tool.install.files files_are_there
run tool.install.by_type by_type
run tool.install.by_fstab by_fstab
run tool.install.bad_options bad_options
run tool.install.completion completion
umount /usr/sbin
rm -rf "$TOP"
echo "1..$number"
exit $failed
