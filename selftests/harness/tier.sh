# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A tiered tree: nginx as the object store, and tierfs. Sourced, never run. All is below
# $TIER, which the caller makes.

TIERFS=/src/build/tools/tierfs
STORE_PORT=8099
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

store_answers() { curl -sf -o /dev/null "http://127.0.0.1:$STORE_PORT/alive"; }

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
				${STORE_EXTRA:-}
			}
		}
	END
	nginx -e "$TIER/nginx/error.log" -c "$TIER/nginx/conf" >/dev/null 2>&1 &
	until_true 60 store_answers
}

# The process may be that of another shell
store_stop() {
	local pid

	pid=$(cat "$TIER/nginx/pid") && kill "$pid" && until_true 60 store_is_gone "$pid"
}
store_is_gone() { ! kill -0 "$1" 2>/dev/null || [ "$(ps -o stat= -p "$1")" = Z ]; }

# gets OBJECT: how often something of it was sent
gets() { grep -c "^GET /v1/$1 206" "$TIER/store.log"; }

# tier_start [OPTION...]: mount $TIER/back on $TIER/mnt; sets $tier_pid
tier_start() {
	"$TIERFS" mount "$@" "$STORE_URL" "$TIER/back" "$TIER/mnt" &
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

state() { "$TIERFS" state "$TIER/mnt/$1" | sed 's/.*: //'; }

# blocks NAME: what the file takes of the backing, in bytes
blocks() { echo $(($(stat -c '%b * %B' "$TIER/back/$1"))); }
