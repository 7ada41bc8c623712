#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# astack.sh: a shared storage for apps, shown. Runs in the guest; see "make demo-astack".
#
# Two apps see two trees; a picture has its location for one app and not for another;
# rights change under an open file; the daemon is stopped, and the apps go on. Every
# claim is checked, and the last lines are a table of them.

set -u
. "$(dirname "$0")/lib.sh"

VOLUME=/run/astack/media/vol VIEW=/run/astack/emulated
HERE=/src/tools/demo
CTL="$BUILD/tools/astackctl -v $VOLUME"
GAL=10102 MAP=10103 GAME=10104 SPY=10105
APP=$VIEW/0/Android/data/com.demo.game
PHOTO=$VIEW/0/DCIM/photo.jpg

ctl() { # shellcheck disable=SC2086
	printf '  # astackctl %s\n' "$*"; $CTL "$@" 2>&1 | sed 's/^/    /'; }

error_of() { "$@" 2>&1 >/dev/null | sed 's/.*: //'; }

# Little-endian EXIF with one directory, GPS, of one text of 32 bytes
photo() {
	printf '\377\330\377\341\0\134Exif\0\0'
	printf 'II*\0\10\0\0\0\1\0\45\210\4\0\1\0\0\0\32\0\0\0\0\0\0\0'
	printf '\1\0\2\0\2\0\40\0\0\0\60\0\0\0\0\0\0\0\0\0\0\0'
	printf 'N 48 12.3456  E 16 22.1234 here!\0\0\0\0'
	printf '\377\332 and here is the picture itself\n'
}

start() {
	title "(a) A storage for apps, each of which is a user"
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	mkdir -p /run/astack/media "$VIEW"
	mount -t tmpfs -o mode=770,uid=1023,gid=1023 tmpfs /run/astack/media
	mkdir -m 755 "$VOLUME"
	ctl user 0
	note "\$ astackd $VOLUME $VIEW &"
	"$BUILD/tools/astackd" "$VOLUME" "$VIEW" &
	daemon=$!
	for _ in {1..600}; do
		mountpoint -q "$VIEW" && break
		sleep 0.1
	done
	ctl install com.demo.game $GAME
	ctl grant $GAL READ_IMG
	ctl grant $MAP READ_IMG LOCATION
	show "$FB" ls "$VIEW"
	claim "the daemon has no privileges" \
		"$(awk '/^(Uid|CapEff)/ { print $2 }' /proc/$daemon/status | xargs)" "1023 0000000000000000"
}

apps() {
	title "(b) What is an app's, nobody else learns of"
	as $GAME sh -c "echo score 7 >$APP/save"
	show_as game $GAME ls -A "$VIEW/0/Android/data"
	show_as spy $SPY ls -A "$VIEW/0/Android/data"
	show_as spy $SPY cat "$APP/save"
	claim "the game is listed for itself" "$(as $GAME ls "$VIEW/0/Android/data")" com.demo.game
	claim "and for the spy it is not" "$(as $SPY ls "$VIEW/0/Android/data")" ""
	for call in "stat" "ls" "rmdir" "mkdir" "cat" "touch"; do
		claim "$call by the spy says of it what it says of a missing name" \
			"$(error_of as $SPY $call "$APP")" \
			"$(error_of as $SPY $call "${APP}s" | sed s/games/game/)"
	done
	show "$FB" stat "$VIEW"
	claim "the daemon was asked for nothing of all that (1 is INIT)" "$(total daemon)" 1
}

locations() {
	title "(c) A picture, with and without where it was taken"
	photo >"$VOLUME/0/DCIM/photo.jpg"
	chown 10101:1015 "$VOLUME/0/DCIM/photo.jpg"
	chmod 664 "$VOLUME/0/DCIM/photo.jpg"
	show_as map $MAP od -A x -t x1z -j 0x30 -N 80 "$PHOTO"
	show_as gal $GAL od -A x -t x1z -j 0x30 -N 80 "$PHOTO"
	show_as spy $SPY cat "$PHOTO"
	claim "who may know, reads the location" "$(as $MAP grep -ac '48 12.3456' "$PHOTO")" 1
	claim "who may not, reads none" "$(as $GAL grep -ac '48 12.3456' "$PHOTO")" 0
	claim "but the picture" "$(as $GAL grep -ac 'picture itself' "$PHOTO")" 1
	claim "who may read no pictures, is refused" "$(error_of as $SPY cat "$PHOTO")" "Permission denied"
}

rights() {
	local pid

	title "(d) Rights that change while apps run"
	mkdir -m 1777 /run/astack/work
	as $GAL python3 "$HERE/twice.py" "$PHOTO" /run/astack/work >/run/astack/seen &
	pid=$!
	until [ -e /run/astack/work/read ] || ! kill -0 $pid; do sleep 0.05; done
	ctl grant $GAL LOCATION
	touch /run/astack/work/go
	wait $pid
	note "One open file, read before and after: $(cat /run/astack/seen)"
	claim "a right that is granted is in force for a file that is open" \
		"$(cat /run/astack/seen)" "hidden shown"
	ctl revoke $GAL LOCATION
	claim "a right that is revoked is gone" "$(as $GAL grep -ac '48 12.3456' "$PHOTO")" 0
	ctl revoke $GAL
	claim "also that to read at all" "$(error_of as $GAL cat "$PHOTO")" "Permission denied"
	ctl grant $GAL READ_IMG
}

stopped() {
	local asked

	title "(e) The daemon is stopped"
	as $GAL cat "$PHOTO" >/dev/null
	asked=$(total daemon)
	show kill -STOP $daemon
	show_as game $GAME fio --name=game --directory="$APP" --size=4M --bs=4k --rw=randrw \
		--ioengine=psync --time_based --runtime=3 --minimal --output=/dev/null
	claim "the game plays on" "$(as $GAME cat "$APP/save")" "score 7"
	claim "with its files" "$(as $GAME stat -c %s "$APP/game.0.0")" 4194304
	claim "pictures are read, without locations" "$(as $GAL grep -ac '48 12.3456' "$PHOTO")" 0
	claim "what was hidden is hidden" "$(error_of as $SPY ls "$APP")" "No such file or directory"
	claim "the daemon was not asked once" "$(($(total daemon) - asked))" 0
	show kill -CONT $daemon
}

start
apps
locations
rights
stopped
umount "$VIEW"
wait $daemon
claim "the daemon ended well" $? 0
summary
exit $failed
