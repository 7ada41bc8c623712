#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# agent.sh: a sandbox for a coding agent, shown. Runs in the guest; see "make demo-agent".
#
# The agent is a process tree in a cgroup, of the same user as the owner of the project.
# A policy of 40 patterns, most of them of names that do not exist, is put into force in
# the same time for any size of the project. What the agent tries must fail, be told of,
# and not concern the owner. Every claim is checked, and the last lines are a table.

set -u
. "$(dirname "$0")/lib.sh"

HERE=/src/tools/demo
TREES=/mnt/trees WORK=/mnt/work
# What the agent knows the project by. In its mount namespace, the view lies over it
PROJECT=$TREES/project
GROUP=/sys/fs/cgroup/agent
POLICY=$WORK/agent.conf
FILES=${FILES:-278000}
REPEATS=7
# As many as attempts.py has
MAKE_WAYS=8 REACH_WAYS=23
OWNER=$ALICE

# Pattern, a name that it is about, and one that it is not about
RULES='
.env			.env			env
.env.*			.env.local		.environment
*.pem			new.pem			pem.txt
*.key			tls.key			keyboard
*.p12			cert.p12		p12
*.pfx			sign.pfx		pfx.md
*.jks			app.jks			jks
*.keystore		app.keystore		keystore
*.kdbx			all.kdbx		kdbx.c
*.ovpn			office.ovpn		ovpn
*.gpg			dump.gpg		gpg
*.agekey		me.agekey		agekey.go
*.tfstate		prod.tfstate		tfstate
*.tfstate.*		prod.tfstate.backup	tfstate.md
*.tfvars		prod.tfvars		tfvars.c
*.mobileprovision	app.mobileprovision	mobileprovision
id_rsa*			id_rsa.old		my_id_rsa
id_dsa*			id_dsa			an_id_dsa
id_ecdsa*		id_ecdsa_sk		an_id_ecdsa
id_ed25519*		id_ed25519		an_id_ed25519
credentials.json	credentials.json	credentials.jsonc
credentials		credentials		credentials.c
client_secret*.json	client_secret_7.json	client_secret.js
service-account*.json	service-account.json	service-account.go
*-credentials.y*ml	db-credentials.yaml	credentials.toml
[Ss]ecrets.y*ml		Secrets.yml		secrets.rs
secret?.txt		secret1.txt		secret.txt
.netrc			.netrc			netrc
.npmrc			.npmrc			npmrc
.pypirc			.pypirc			pypirc
.pgpass			.pgpass			pgpass
.my.cnf			.my.cnf			my.cnf
.htpasswd		.htpasswd		.htaccess
.git-credentials	.git-credentials	.gitignore
.vault-token		.vault-token		vault-token
.ssh			.ssh			ssh
.gnupg			.gnupg			gnupg
.aws			.aws			aws
.kube			.kube			kube
wallet*.dat		wallet-2.dat		wallet.data
'
GLOBS=() SAMPLES=() NEAR=()
while read -r glob sample near; do
	[ -z "$glob" ] || { GLOBS+=("$glob") SAMPLES+=("$sample") NEAR+=("$near"); }
done <<<"$RULES"

# Names that there are; all others of SAMPLES are not there
EXISTING=(.env new.pem id_rsa.old credentials.json)

write_policy() {
	local names

	names=$(printf '"%s", ' "${GLOBS[@]}" | fold -sw 80 | sed -e 's/ $//' -e '2,$s/^/          /')
	cat >"$POLICY" <<-END
		rules = (
		    { names = ".env.example"; action = "allow"; cgroup = "agent"; },
		    { names = [${names%,}];
		      action = "hide"; audit = true; label = "secret"; cgroup = "agent"; },
		    { names = ".git"; ops = ["create", "remove"]; action = "deny"; error = "EROFS";
		      audit = true; label = "history"; cgroup = "agent"; },
		    { under = ".git"; action = "read-only"; audit = true; label = "history"; cgroup = "agent"; }
		);
	END
}

# Runs as the owner
plant() {
	mkdir -p "$1/.git/hooks" "$1/work"
	echo '[core]' >"$1/.git/config"
	echo 'KEY=' >"$1/work/.env.example"
	echo innocent | tee "$1/work/innocent" >"$1/work/code.c"
	for name in "${EXISTING[@]}"; do
		echo planted-secret >"$1/work/$name"
		ln -s "$name" "$1/work/link-$name"
	done
}

grow() {
	local begin=$SECONDS

	mkdir -p "$TREES" "$WORK"
	mount -t tmpfs -o mode=755,nr_inodes=0,size=80% tmpfs "$TREES"
	mkdir -m 755 "$PROJECT" "$TREES/small"
	chown $OWNER:$OWNER "$PROJECT" "$TREES/small" "$WORK"
	as $OWNER "$HERE/grow.py" "$TREES/small" $((FILES / 10)) >"$WORK/small" &&
		as $OWNER "$HERE/grow.py" "$PROJECT" "$FILES" >"$WORK/project" || exit 1
	as $OWNER bash -c "$(declare -f plant); EXISTING=(${EXISTING[*]}); plant '$PROJECT'; plant '$TREES/small'"
	mkdir -p $GROUP/tools
	note "$FILES files in $(head -n 1 "$WORK/project") directories, and a tree of a tenth of that: $((SECONDS - begin)) s to make."
}

# micro COMMAND...: microseconds that it takes
micro() {
	local begin=${EPOCHREALTIME/./}

	"$@" >"$WORK/out" 2>&1 || { cat "$WORK/out" >&2; return 1; }
	echo $((${EPOCHREALTIME/./} - begin))
}

mount_alone() { "$FB" mount "$1" "$VIEW" allow_other; }

put_in_force() { "$FB" mount "$1" "$VIEW" allow_other policy "$POLICY"; }

# The shortest of several times is the one that nothing else disturbed
shortest() { sort -n "$1" | head -n 1; }

in_ms() { printf '%d.%d ms' $(($1 / 1000)) $(($1 / 100 % 10)); }

find_words() { printf -- '-o -name %s ' "${GLOBS[@]}" | cut -c4-; }

# row TEXT SMALL BIG: microseconds of the two trees
row() {
	printf '    %-32s %14s %15s %5d.%02d\n' "$1" "$(in_ms "$2")" "$(in_ms "$3")" $(($3 / $2)) $(($3 * 100 / $2 % 100))
}

# measure WHAT: mount both trees by that function several times, in turns
measure() {
	local i tree

	rm -f "$WORK/time-small" "$WORK/time-project"
	for ((i = 0; i < REPEATS; i++)); do
		for tree in small project; do
			micro "$1" "$TREES/$tree" >>"$WORK/time-$tree" && "$FB" umount "$VIEW" >"$WORK/out" || exit 1
		done
	done
	small=$(shortest "$WORK/time-small") big=$(shortest "$WORK/time-project")
}

any_size() {
	local small big walk_small walk_big words

	title "(a) ${#GLOBS[@]} patterns in force, for a project of any size"
	show cat "$POLICY"
	show "$FB" policy check "$POLICY"
	printf '    %-32s %8d files %9d files    ratio\n' '' $((FILES / 10)) "$FILES"
	measure mount_alone
	row "mount" "$small" "$big"
	measure put_in_force
	row "mount, policy in force" "$small" "$big"
	claim "mount and policy take as long for $FILES files as for $((FILES / 10)) (ratio below 2)" \
		"$([ "$big" -lt $((2 * small)) ] && echo yes || echo "$big and $small us")" yes
	set -f
	words=$(find_words)
	# shellcheck disable=SC2086
	walk_small=$(micro find "$TREES/small" $words) walk_big=$(micro find "$PROJECT" $words)
	set +f
	row "find what the patterns match" "$walk_small" "$walk_big"
	note "The shortest of $REPEATS each; find, as sandboxes of bind mounts need it, once. What a"
	note "policy adds to a mount is the kernel's verifier, at work on the programs of the filters."
}

# agent COMMAND...: the agent's process tree. It has processes of its own only, and the
# view in the place of the project
agent() { AGENT_UID=$OWNER sandbox "$@"; }

sandbox() {
	unshare --mount --pid --fork --mount-proc bash -c '
		echo $$ >'$GROUP'/tools/cgroup.procs && mount --bind '"$VIEW $PROJECT"' || exit 127
		cd /mnt
		exec setpriv --reuid='"$AGENT_UID"' --regid='"$AGENT_UID"' --clear-groups -- "$@"' sandbox "$@"
}

show_agent() { printf '  agent$ %s\n' "$*"; agent "$@" 2>&1 | sed 's/^/    /'; }
show_owner() { show_as owner $OWNER "$@"; }

paths() { (cd "$1" && find . | LC_ALL=C sort); }

# What a tree has without what the patterns match and what is below that
without_secrets() {
	set -f
	# shellcheck disable=SC2046
	(cd "$1" && find . \( $(find_words) \) ! -name .env.example -prune -o -print | LC_ALL=C sort)
	set +f
}

two_views() {
	title "(b) One mount, two views: every path of the tree of $((FILES / 10)) files"
	put_in_force "$TREES/small" >"$WORK/out" || exit 1
	without_secrets "$TREES/small" >"$WORK/clean"
	as $OWNER bash -c "$(declare -f paths); paths '$VIEW'" >"$WORK/owner"
	agent bash -c "$(declare -f paths); paths '$PROJECT'" >"$WORK/agent"
	paths "$TREES/small" >"$WORK/all"
	note "$(wc -l <"$WORK/all") paths; the owner sees $(wc -l <"$WORK/owner"), the agent $(wc -l <"$WORK/agent")."
	claim "the owner sees every path" "$(diff "$WORK/all" "$WORK/owner" | wc -l)" 0
	claim "the agent sees every path but the secrets" "$(diff "$WORK/clean" "$WORK/agent" | wc -l)" 0
	claim "and there were secrets to miss" "$([ "$(diff "$WORK/all" "$WORK/clean" | wc -l)" -gt 10 ] && echo yes)" yes
	"$FB" umount "$VIEW" >"$WORK/out" || exit 1
}

# How many of the planted secrets can be read, by paths on the standard input
readable() {
	local path n=0

	while read -r path; do
		[ "$(head -c 14 "$1/$path" 2>/dev/null)" != planted-secret ] || n=$((n + 1))
	done
	echo $n
}

same_mount() {
	local planted few

	title "(c) The agent in the project of $FILES files"
	show "$FB" mount "$PROJECT" "$VIEW" allow_other policy "$POLICY"
	planted=$(($(wc -l <"$WORK/project") - 1))
	few=$(tail -n 12 "$WORK/project")
	show_owner ls -A "$VIEW/work"
	show_agent ls -A "$PROJECT/work"
	show_agent cat "$PROJECT/work/.env"
	show_agent cat "$PROJECT/work/.env.example"
	note "$planted secrets are in the packages; twelve of them are asked for by name:"
	claim "the owner reads them through the mount" \
		"$(as $OWNER bash -c "$(declare -f readable); readable '$VIEW'" <<<"$few")" 12
	claim "the agent reads none, though the owner's reading put them into the cache" \
		"$(agent bash -c "$(declare -f readable); readable '$PROJECT'" <<<"$few")" 0
	claim "the agent is of the same user" "$(agent id -u)" $OWNER
	claim "the agent reads what is no secret, and the exception" \
		"$(agent cat "$PROJECT/work/code.c" "$PROJECT/work/.env.example" | xargs)" "innocent KEY="
	# Until the child has said something, or a minute has passed
	agent bash -c "(setsid cat $PROJECT/work/.env >$WORK/child 2>&1 &)
		for ((i = 0; i < 600; i++)); do [ -s $WORK/child ] && break; sleep 0.1; done"
	claim "a child that has left its parents is as blind" "$(sed 's/.*: //' "$WORK/child")" "No such file or directory"
}

# told FILE: of the attempts in it, how many are in the trail
told() {
	"$FB" -j policy log "$VIEW" >"$WORK/log" || return
	python3 - "$1" "$WORK/log" <<-'END'
		import json, sys
		told = {(event['comm'], event['errno'] is not None) for event in json.load(open(sys.argv[2]))}
		attempts = [line.split()[0] for line in open(sys.argv[1])]
		print(sum((attempt, True) in told for attempt in attempts))
	END
}

never_made() {
	local nr=$((${#SAMPLES[@]} * MAKE_WAYS)) name

	title "(d) Names that do not exist, and must not come to be"
	"$FB" policy log "$VIEW" >"$WORK/out"
	# Apart from those that the owner has, so that all are new
	as $OWNER mkdir "$VIEW/fresh"
	as $OWNER cp "$VIEW/work/innocent" "$VIEW/fresh/innocent"
	agent "$HERE/attempts.py" make "$PROJECT/fresh" "${SAMPLES[@]}" >"$WORK/made"
	note "${#SAMPLES[@]} names, each in $MAKE_WAYS ways. Of them:"
	grep -E ' (\.env|db-credentials.yaml) ' "$WORK/made" | sed 's/^/    /'
	claim "names that do not exist: the agent tried $nr ways to make one" "$(wc -l <"$WORK/made")" $nr
	claim "each time, there was no such file" "$(grep -vc ' ENOENT$' "$WORK/made")" 0
	claim "nothing was made" "$(ls -A "$PROJECT/fresh" | xargs)" innocent
	claim "each attempt is in the audit trail" "$(told "$WORK/made")" $nr
	for name in "${NEAR[@]}"; do echo "$PROJECT/fresh/$name"; done | agent xargs touch
	claim "names that only look like it can be made, all ${#NEAR[@]}" "$(ls -A "$PROJECT/fresh" | grep -cvx innocent)" ${#NEAR[@]}
	show_owner touch "$VIEW/fresh/new.pem" "$VIEW/fresh/.netrc"
	claim "the owner makes such names, through the same mount" "$(ls -A "$PROJECT/fresh" | grep -cxe new.pem -e .netrc)" 2
	claim "and the agent does not see them" "$(agent ls -A "$PROJECT/fresh" | grep -cxe new.pem -e .netrc)" 0
}

never_reached() {
	local nr=$((${#EXISTING[@]} * REACH_WAYS)) before

	title "(e) Names that exist, and must not be reached"
	before=$(cd "$PROJECT/work" && stat -c '%n %i %a %s %h %Z' "${EXISTING[@]}")
	"$FB" policy log "$VIEW" >"$WORK/out"
	agent "$HERE/attempts.py" reach "$PROJECT/work" "${EXISTING[@]}" >"$WORK/reached"
	grep -F ' .env ' "$WORK/reached" | sed 's/^/    /'
	claim "names that exist: the agent tried $nr ways to reach one" "$(wc -l <"$WORK/reached")" $nr
	claim "each time, there was no such file" "$(grep -vc ' ENOENT$' "$WORK/reached")" 0
	claim "each attempt is in the audit trail" "$(told "$WORK/reached")" $nr
	claim "the files are as they were" "$(cd "$PROJECT/work" && stat -c '%n %i %a %s %h %Z' "${EXISTING[@]}")" "$before"
	as $OWNER bash -c "mkdir '$VIEW/control' && cd '$VIEW/control' && echo innocent >innocent && echo secret >.env && ln -s .env link-.env"
	as $OWNER "$HERE/attempts.py" reach "$VIEW/control" .env >"$WORK/control"
	claim "for the owner, all of these calls do what they are for, but these two" \
		"$(grep -v ' done$' "$WORK/control" | awk '{ print $2, $NF }' | xargs)" "execve EACCES getxattr ENODATA"
}

# The owner has a secret open, stands in a directory of secrets, and has a handle of one
around_names() {
	local handle holder i

	title "(f) Ways that need no name"
	handle=$(as $OWNER "$HERE/attempts.py" handle "$VIEW/work/.env")
	(cd "$VIEW/work" && exec setpriv --reuid=$OWNER --regid=$OWNER --clear-groups sleep 1000 3<.env) &
	holder=$!
	for ((i = 0; i < 600; i++)); do
		[ "$(cat /proc/$holder/comm)" != sleep ] || break
		sleep 0.1
	done
	note "The owner, process $holder, has $VIEW/work/.env open and stands there."
	show_owner "$HERE/attempts.py" search
	show_agent "$HERE/attempts.py" search
	claim "by /proc, another process of the owner's comes to what the first has open" \
		"$([ "$(as $OWNER "$HERE/attempts.py" search | cut -d' ' -f1)" -ge 2 ] && echo yes)" yes
	claim "the agent does not: it does not see that process" "$(agent "$HERE/attempts.py" search | cut -d' ' -f1)" 0
	kill $holder
	wait $holder 2>/dev/null
	AGENT_UID=0 sandbox "$HERE/attempts.py" open-handle "$PROJECT" "$handle" | tee "$WORK/opened" | sed 's/^/    /'
	claim "a handle of a secret, which the owner can make, opens nothing, not even for root in the cgroup" \
		"$([ ${#handle} -gt 20 ] && grep -c ' E[A-Z]*$' "$WORK/opened")" 1
	claim "root in the cgroup does not find it by name either" \
		"$(AGENT_UID=0 sandbox cat "$PROJECT/work/.env" 2>&1 | sed 's/.*: //')" "No such file or directory"
}

escapes() {
	title "(g) Ways out of the sandbox"
	show_agent bash -c "echo \$\$ >/sys/fs/cgroup/cgroup.procs"
	claim "the agent cannot leave its cgroup" \
		"$(agent bash -c "echo \$\$ >/sys/fs/cgroup/cgroup.procs || cat $PROJECT/work/.env" 2>&1 | grep -c 'Permission denied\|No such file')" 2
	show_agent umount "$PROJECT"
	show_agent unshare --user --map-root-user --mount umount "$PROJECT"
	claim "nor look below the view, as root of a user namespace of its own" \
		"$(agent unshare --user --map-root-user --mount bash -c "umount $PROJECT; cat $PROJECT/work/.env" 2>&1 | grep -c planted-secret)" 0
	claim "no other path of the project leads to a secret" \
		"$(agent cat "$VIEW/work/.env" "$TREES/project/work/.env" 2>/dev/null | wc -c)" 0
}

read_only_dir() {
	local before

	title "(h) A directory that the agent can only read"
	before=$(find "$PROJECT/.git" -printf '%p %i %m %s %T@\n' | sort)
	"$FB" policy log "$VIEW" >"$WORK/out"
	show_agent cat "$PROJECT/.git/config"
	show_agent bash -c "echo evil >>$PROJECT/.git/config"
	show_agent touch "$PROJECT/.git/hooks/pre-commit"
	show_agent rm "$PROJECT/.git/config"
	show_agent mv "$PROJECT/.git" "$PROJECT/git"
	show_agent chmod 777 "$PROJECT/.git/hooks"
	show_agent git -C "$PROJECT/work" init -q .
	claim "nothing of it changed" "$(find "$PROJECT/.git" -printf '%p %i %m %s %T@\n' | sort)" "$before"
	claim "no other was made in its place" "$(find "$PROJECT/work" -name .git | wc -l)" 0
	show "$FB" policy log "$VIEW"
	"$FB" -j policy show "$VIEW" >"$WORK/shown"
	claim "no event of the trail was lost" "$(grep -o '"lost_events":[0-9]*' "$WORK/shown")" '"lost_events":0'
	claim "not one request went to a daemon" "$(total daemon)" 0
	show "$FB" umount "$VIEW"
}

lay_out_agent() {
	mkdir -p "$VIEW" "$WORK"
	mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf
	mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
}

lay_out_agent
title "A project to work in"
grow
write_policy
any_size
two_views
same_mount
never_made
never_reached
around_names
escapes
read_only_dir
claim "all is unmounted, and nothing holds on to the project" "$(umount "$TREES" && echo yes)" yes
summary
exit $failed
