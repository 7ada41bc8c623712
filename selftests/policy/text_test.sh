#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The text of policies: what "fuse-bpf policy" accepts and refuses, with which words,
# and what it compiles to. Needs no mount.
set -u
cd "$(dirname "$0")/../.." || exit 1

TOP=$(mktemp -d /tmp/policy-XXXXXX)
number=0 failed=0
. selftests/harness/command.sh

# policy VERB TEXT: run a verb on a policy with this text; sets $out and $status
policy() {
	printf '%s\n' "$2" >"$TOP/policy.conf"
	status=0
	out=$("$FB" -j policy "$1" "$TOP/policy.conf" 2>"$TOP/stderr") || status=$?
}

# good RULES: must be accepted without a warning
good() {
	policy check "rules = ( $1 );"
	[ $status -eq 0 ] && is 'd["warnings"]' '[]' || { echo "# $1: exit $status, $out" && return 1; }
}

# refused LINE WORDS TEXT: must end with 1 and one sentence that has the line and WORDS
refused() {
	policy check "$3"
	[ $status -eq 1 ] && [ ! -s "$TOP/stderr" ] && [[ $out = *"policy.conf:$1: "*"$2"* ]] ||
		{ echo "# '$3': exit $status, $out, not line $1 and '$2'" && return 1; }
}

# warns KIND LINE BY TEXT: must be accepted with one warning
warns() {
	policy check "$4"
	[ $status -eq 0 ] && is '[(w["kind"], w["line"], w["by_line"]) for w in d["warnings"]]' "[('$1', $2, $3)]"
}

run() {
	number=$((number + 1))
	"$2" && echo "ok $number $1" || { failed=1 && echo "not ok $number $1"; }
}

accepted() {
	good '{ names = ".env"; action = "hide"; }' || return
	good '{ names = ["a*b?[c-e]", "**/x", "\\*", "[!a]*"]; action = "deny"; error = "EPERM"; }' || return
	good '{ under = "/a/b/"; action = "read-only"; audit = true; }' || return
	good '{ file = "a/b"; action = "redact"; ranges = ( (0, 4), (9, -1) ); not_gid = [1, 2]; }' || return
	good '{ names = "x"; type = ["dir", "file"]; action = "hide"; cgroup = "a/b"; uid = 1; }' || return
	good '{ names = "x"; ops = ["create", "UNLINK"]; action = "audit"; label = "seen"; }' || return
	good $'{ names = "x"; action = "daemon"; not_pidns = "/proc/1/ns/pid"; } // comment\n'
}

bad_syntax() {
	refused 2 "syntax error" $'rules = (\n{ names = ; action = "hide"; } );' || return
	refused 1 "there is no key 'rulez'" 'rulez = ();' || return
	refused 2 "there is no key 'nmaes'" $'rules = ( {\nnmaes = "x"; action = "hide"; } );' || return
	refused 1 "a rule is a group" 'rules = ( 1 );' || return
	refused 1 "duplicate setting name" 'rules = ( { names = "x"; names = "y"; action = "hide"; } );'
}

bad_values() {
	local rule

	while IFS='|' read -r words rule; do
		refused 1 "$words" "rules = ( { $rule } );" || return
	done <<-'END'
	has no action|names = "x";
	is no action|names = "x"; action = "hidden";
	is about nothing|action = "hide";
	names takes strings|names = 1; action = "hide";
	list is empty|names = []; action = "hide";
	is no errno|names = "x"; action = "deny"; error = "ENOPE";
	is no errno|names = "x"; action = "deny"; error = "ECHILD";
	error goes with|names = "x"; action = "hide"; error = "EPERM";
	is no operation|names = "x"; action = "deny"; ops = "sing";
	asks about an open file by its inode|names = "x"; action = "deny"; ops = "READ";
	cannot be read-only|names = "x"; action = "read-only";
	redact needs 'file'|names = "x"; action = "redact"; ranges = ((0, 1));
	redact needs ranges|file = "x"; action = "redact";
	a range is|file = "x"; action = "redact"; ranges = ((4, 4));
	exclude each other|names = "x"; file = "y"; action = "hide";
	exclude each other|names = "x"; action = "hide"; uid = 1; not_uid = 2;
	without '.' and '..'|under = "../x"; action = "read-only";
	without '.' and '..'|file = "a/../b"; action = "hide";
	is no type|names = "x"; type = "door"; action = "hide";
	longer than 31 bytes|names = "x"; action = "hide"; label = "0123456789012345678901234567890123456789";
	uid takes numbers|names = "x"; action = "hide"; uid = "nobody-of-this-name";
	uid takes numbers|names = "x"; action = "hide"; uid = -1;
	audit must be|names = "x"; action = "hide"; audit = 1;
	END
}

bad_patterns() {
	local pattern

	while IFS='|' read -r words pattern; do
		refused 1 "' $words" \
			"rules = ( { names = \"$pattern\"; action = \"hide\"; } );" || return
	done <<-'END'
	is empty|
	has a '/'|a/b
	has a '/'|a/**
	ends within|[a
	ends within|a\\
	ends within|[z-a]
	is a name that no filter|..
	END
	refused 1 "needs more than 63" "rules = ( { names = \"$(printf 'x%.0s' {1..64})*y\"; action = \"hide\"; } );" || return
	refused 1 "is longer than any name" "rules = ( { names = \"$(printf 'x%.0s' {1..256})\"; action = \"hide\"; } );"
}

never_decides() {
	warns superfluous 3 2 $'rules = (\n{ names = "*.pem"; action = "hide"; },\n{ names = "a.pem"; action = "hide"; } );' || return
	warns shadowed 3 2 $'rules = (\n{ names = "a*"; action = "hide"; },\n{ names = "ab*c"; action = "allow"; ops = "lookup"; } );' || return
	warns superfluous 3 2 $'rules = (\n{ names = "*x*"; action = "hide"; },\n{ names = ["?x[0-9]"]; action = "hide"; uid = 7; } );' || return
	refused 3 "never decides" $'rules = (\n{ names = "a"; action = "hide"; },\n{ names = "a"; action = "allow"; ops = ["lookup", "list", "create"]; } );' || return
	# These look alike and are not
	good '{ names = "a*"; action = "hide"; uid = 1; }, { names = "ab"; action = "allow"; }' || return
	good '{ names = "*.pem"; action = "hide"; }, { names = "*pem"; action = "allow"; }' || return
	good '{ names = "a*"; action = "audit"; }, { names = "ab"; action = "hide"; }' || return
	good '{ names = "a"; type = "dir"; action = "hide"; }, { names = "a"; action = "deny"; }' || return
	good '{ names = "a*b"; action = "hide"; }, { names = "a*"; action = "deny"; }'
}

limits() {
	local many

	many=$(for i in {0..9}; do printf '{ names = "x*"; action = "hide"; uid = %d; }, ' "$i"; done)
	refused 1 "no more than 8 rules" "rules = ( $many );" || return
	many=$(for i in {1..17}; do printf '{ under = "d%d"; action = "read-only"; }, ' "$i"; done)
	refused 1 "more than 16 subtrees" "rules = ( $many );" || return
	many=$(seq -f '"n%.0f",' 1 32768)
	refused 1 "larger than the filter's tables" \
		"rules = ( { names = [ ${many//$'\n'/ } \"one\" ]; action = \"hide\"; } );" || return
	policy check "rules = ( { names = [ ${many//$'\n'/ } ]; action = \"hide\"; } );"
	[ $status -eq 0 ] && is 'd["rules"]' 32768
}

compiled() {
	policy compile 'rules = (
		{ names = ["a", "b", "a*", "*a", "b*c", "?", "'"$(printf 'l%.0s' {1..100})"'"]; action = "hide"; },
		{ file = "f"; action = "hide"; uid = 1; } );'
	[ $status -eq 0 ] && is 'list(d["tables"].values())' '[2, 3, 1, 2, 1, 1, 1]' || return
	is '[r["line"] for r in d["rules"]]' '[2, 2, 2, 2, 2, 2, 2, 3]'
}

differences() {
	printf 'rules = ( { names = ["a", "b", "c"]; action = "hide"; } );' >"$TOP/old.conf"
	printf 'rules = ( { names = ["a", "c", "d"]; action = "hide"; } );' >"$TOP/new.conf"
	out=$("$FB" -j policy diff "$TOP/old.conf" "$TOP/new.conf") || return
	is '[(c["change"], c["rule"].split()[2]) for c in d]' "[('removed', 'b'), ('added', 'd')]" || return
	out=$("$FB" -j policy diff "$TOP/old.conf" "$TOP/old.conf") || return
	is d '[]'
}

run policy.accepted accepted
run policy.bad_syntax bad_syntax
run policy.bad_values bad_values
run policy.bad_patterns bad_patterns
run policy.never_decides never_decides
run policy.limits limits
run policy.compiled compiled
run policy.differences differences
rm -rf "$TOP"
echo "1..$number"
exit $failed
