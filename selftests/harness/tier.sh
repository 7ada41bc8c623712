# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A tiered tree: nginx as the object store, and tierfs. Sourced, never run. All is below
# $TIER, which the caller makes.

TIERFS=/src/build/tools/tierfs
STORE_PORT=${STORE_PORT:-8099}
STORE_URL=http://127.0.0.1:$STORE_PORT/v1

# until_true SECONDS COMMAND...: wait for a condition
until_true() {
	local end=$((SECONDS + $1))

	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# helper WORD...: have ways.py do that, without a process of its own for each; what it says,
# and its status. For tests that have called helper_start.
helper() {
	local status text

	printf '%s\0' "$@" >&8
	echo >&8
	read -r -u 9 status text
	[ -z "$text" ] || printf '%s\n' "$text"
	return "$status"
}

helper_pid=''

helper_start() {
	mkfifo "$TIER/ask" "$TIER/answer"
	/src/selftests/tierfs/ways.py serve <"$TIER/ask" >"$TIER/answer" &
	helper_pid=$!
	exec 8>"$TIER/ask" 9<"$TIER/answer"
}

helper_stop() {
	[ -n "$helper_pid" ] || return 0
	exec 8>&- 9<&-
	kill "$helper_pid"
	wait "$helper_pid" 2>/dev/null
}

store_answers() { curl -sf -o /dev/null "http://127.0.0.1:$STORE_PORT/alive"; }

# fails_with TEXT COMMAND...
fails_with() {
	local out text=$1

	shift
	! out=$("$@" 2>&1) && [[ $out = *"$text"* ]] || { echo "$*: '$out', not '$text'" && return 1; }
}

number=0 failed=0 tier_pid=''

# run NAME FUNCTION [OPTION...]: with a fresh tree and a fresh daemon
run() {
	local name=$1 function=$2 out status=0

	shift 2
	number=$((number + 1))
	out=$(one "$function" "$@" 2>&1) || status=1
	if [ $status -eq 0 ]; then
		echo "ok $number $name"
	else
		failed=1
		echo "not ok $number $name"
		printf '%s\n' "$out" | sed 's/^/# /'
	fi
}

one() {
	local status=0

	back_mount || return
	rm -rf "$TIER/store/v1" && mkdir -p "$TIER/store/v1" && : >"$TIER/store.log" || return
	[ ! -d "$TIER/objects" ] || cp -a "$TIER/objects/." "$TIER/store/v1" || return
	tier_start "${@:2}" && "$1" || status=1
	rm -rf "$TIER/copy"
	while mountpoint -q "$TIER/mnt"; do umount "$TIER/mnt" || { status=1 && umount -l "$TIER/mnt"; }; done
	wait "$tier_pid"
	# Nothing holds on to the backing
	until_true 30 umount "$TIER/back" || status=1
	return $status
}

# tier_set_up FS: directories, and a file system for the backing
tier_set_up() {
	TIER_FS=$1
	mkdir -p "$TIER/store/v1" "$TIER/back" "$TIER/mnt"
	[ "$TIER_FS" != tmpfs ] || return 0
	{ [ -e /dev/loop-control ] || modprobe loop; } && truncate -s 128M "$TIER/image" && "mkfs.$TIER_FS" -q "$TIER/image"
}

tier_tear_down() {
	helper_stop
	rm -rf "$TIER"
}

# back_mount: an empty backing
back_mount() {
	if [ "$TIER_FS" = tmpfs ]; then
		mount -t tmpfs -o mode=755 tmpfs "$TIER/back" || return
	else
		mount -o loop "$TIER/image" "$TIER/back" && find "$TIER/back" -mindepth 1 ! -name lost+found -delete || return
	fi
	: >"$TIER/back/.ready"
}

# The objects are files in $TIER/store/v1; each GET is a line in $TIER/store.log.
store_start() {
	mkdir -p "$TIER/store/v1" "$TIER/nginx"
	: >"$TIER/store/alive"
	cat >"$TIER/nginx/conf" <<-END
		user root;
		daemon off;
		worker_processes 1;
		pid $TIER/nginx/pid;
		error_log $TIER/nginx/error.log;
		events { worker_connections 256; }
		http {
			client_body_temp_path $TIER/nginx/body;
			proxy_temp_path $TIER/nginx/proxy;
			fastcgi_temp_path $TIER/nginx/fastcgi;
			uwsgi_temp_path $TIER/nginx/uwsgi;
			scgi_temp_path $TIER/nginx/scgi;
			log_format range '\$request_method \$uri \$status \$http_range';
			access_log $TIER/store.log range;
			server {
				listen 127.0.0.1:$STORE_PORT;
				root $TIER/store;
				dav_methods PUT DELETE MOVE;
				create_full_put_path on;
				client_max_body_size 0;
				${STORE_EXTRA:-}
			}
		}
	END
	nginx -e "$TIER/nginx/error.log" -c "$TIER/nginx/conf" >/dev/null 2>&1 8>&- 9<&- &
	until_true 60 store_answers
}

# The process may be that of another shell
store_stop() {
	local pid

	pid=$(cat "$TIER/nginx/pid") && kill "$pid" && until_true 60 store_is_gone "$pid"
}
store_is_gone() { ! kill -0 "$1" 2>/dev/null || [ "$(ps -o stat= -p "$1")" = Z ]; }

# store_pause, store_resume: whoever asks waits for an answer
store_processes() { echo "$(cat "$TIER/nginx/pid")" $(pgrep -P "$(cat "$TIER/nginx/pid")"); }
store_pause() { kill -STOP $(store_processes); }
store_resume() { kill -CONT $(store_processes); }

# gets OBJECT: how often something of it was sent
gets() { grep -c "^GET /v1/$1 206" "$TIER/store.log"; }

# tier_trace N: daemons that are started from now on are killed when one of their threads
# makes the N-th of the system calls that change something; nothing: they are not
tier_trace() {
	local calls=fsetxattr,fsync,sendto,linkat,unlinkat,renameat2

	trace=()
	[ -z "$1" ] || trace=(strace --kill-on-exit -f -qq -o /dev/null -e "trace=$calls" -e "inject=$calls:signal=KILL:when=$1")
}
trace=()

# tier_start [OPTION...]: mount $TIER/back on $TIER/mnt; sets $tier_pid
tier_start() {
	"${trace[@]}" "$TIERFS" mount "$@" "$STORE_URL" "$TIER/back" "$TIER/mnt" 8>&- 9<&- &
	tier_pid=$!
	until_true 60 tier_ready
}

# The mount of a daemon that has died refuses what this one answers
tier_ready() {
	kill -0 "$tier_pid" && "$TIERFS" state "$TIER/mnt/.ready" >/dev/null 2>&1
}

tier_kill() {
	# The shell says when a child of its own was killed
	{ kill -KILL "$tier_pid" && wait "$tier_pid"; } 2>/dev/null
	! kill -0 "$tier_pid" 2>/dev/null
}

tier_stop() {
	umount "$TIER/mnt" && wait "$tier_pid"
}

# object NAME BYTES: bytes that are no zeros, and never the same in two places
object() {
	mkdir -p "$(dirname "$TIER/store/v1/$1")"
	python3 - "$TIER/store/v1/$1" "$2" <<-'END'
		import hashlib, sys
		path, size = sys.argv[1], int(sys.argv[2])
		seed = hashlib.sha256(path.encode()).hexdigest()
		with open(path, "w") as out:
		    for at in range(0, size + 32, 32):
		        out.write(f"{seed[:15]}:{at:015x}\n")
		    out.truncate(size)
	END
}

# stub NAME: a stub of the object, of the same name
stub() {
	mkdir -p "$(dirname "$TIER/mnt/$1")"
	: >"$TIER/mnt/$1" && "$TIERFS" add "$1" "$TIER/mnt/$1"
}

state() {
	if [ -n "$helper_pid" ]; then
		helper state "$TIER/mnt/$1"
	else
		"$TIERFS" state "$TIER/mnt/$1" | sed 's/.*: //'
	fi
}

# blocks NAME: what the file takes of the backing, in bytes
blocks() { echo $(($(stat -c '%b * %B' "$TIER/back/$1"))); }
