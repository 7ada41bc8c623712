#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The library as others find it: its tests under sanitizers and valgrind, what it exports,
# what `make install` leaves, use from C++, the pages. Needs no guest. Runs in the root,
# see ../vm/enter.sh, from the top of the checkout.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

LIB=libfuse-bpf
OUT=build/selftests
VERSION=$(make -s -C "$LIB" version)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
passed=0 failed=0

# check NAME COMMAND...: one test; its output is shown if it fails.
check() {
	local name=$1

	shift
	if "$@" >"$WORK/log" 2>&1; then
		echo "ok - $name"
		passed=$((passed + 1))
	else
		cat "$WORK/log"
		echo "not ok - $name"
		failed=$((failed + 1))
	fi
}

# Functions that the headers declare, but for those that they define
declared() {
	sed -e '/^static inline/,/^}/d' "$LIB"/include/*.h |
		grep -v '^ \*\|^typedef' | grep -oE '\bfuse_bpf_[a-z_]+\(' | tr -d '(' | sort -u
}

# Functions of the headers, those too that are defined there for others to use
documented() {
	grep -hoE '^ \* fuse_bpf_[a-z_]+ - ' "$LIB"/include/*.h | sed 's/^ \* //; s/ - //' |
		grep -vE '_fn$' | sort -u
}

exported() {
	nm -D --defined-only "$1" | awk '$2 == "T" { print $3 }'
}

exports_what_is_declared() {
	local so=$OUT/../lib/libfuse-bpf.so

	diff <(declared) <(exported "$so" | sed 's/@.*//' | sort -u) &&
		[ -n "$(declared)" ] &&
		[ -z "$(exported "$so" | grep -v '@@FUSE_BPF_[0-9.]*$')" ] &&
		[ -z "$(nm -D --defined-only "$so" | awk '$2 != "T" && $2 != "A"')" ]
}

soname_is_right() {
	grep 'SONAME.*\[libfuse-bpf.so.0\]' <<<"$(readelf -d "$OUT/../lib/libfuse-bpf.so")"
}

# What was released stays: functions of the first node of the map
old_ones_are_there() {
	[ "$(exported "$OUT/../lib/libfuse-bpf.so" | grep -c '@@FUSE_BPF_0.1$')" -eq 17 ]
}

# Every function that is declared has a comment and is on a page.
everything_is_documented() {
	local fn missing=0

	for fn in $(declared; documented); do
		documented | grep -qx "$fn" || { echo "$fn has no comment"; missing=1; }
		grep -q "$fn" "$LIB"/man/*.3 || { echo "$fn is on no page"; missing=1; }
		[ -e "$WORK/root/usr/share/man/man3/$fn.3" ] || { echo "$fn has no page"; missing=1; }
	done
	return $missing
}

pages_are_clean() {
	local complaints

	type mandoc || return
	# Titles are in lower case, as the names are.
	complaints=$(mandoc -Tlint -Wstyle "$LIB"/man/* |
		grep -v 'STYLE: referenced manual not found\|STYLE: lower case character in doc')
	echo "$complaints"
	[ -z "$complaints" ]
}

install_it() {
	make -s -C "$LIB" install DESTDIR="$WORK/root" PREFIX=/usr &&
		diff - <(cd "$WORK/root" && find . -type f -o -type l | grep -v '/man3/' |
			sed 's|/lib/[^/]*-linux-gnu/|/lib/|' | sort) <<-EOF
			./usr/include/fuse_bpf.h
			./usr/include/fuse_bpf_lowlevel.h
			./usr/include/linux/fuse_bpf.h
			./usr/lib/libfuse-bpf.a
			./usr/lib/libfuse-bpf.so
			./usr/lib/libfuse-bpf.so.0
			./usr/lib/libfuse-bpf.so.$VERSION
			./usr/lib/pkgconfig/fuse-bpf.pc
			./usr/share/man/man7/fuse_bpf.7
		EOF
}

# pc ARGS...: pkg-config for what was installed
pc() {
	PKG_CONFIG_PATH=$(dirname "$(find "$WORK/root" -name fuse-bpf.pc)") \
		PKG_CONFIG_SYSROOT_DIR=$WORK/root pkg-config "$@"
}

flags_are_right() {
	pc --exists 'fuse-bpf >= 0.2' && [ "$(pc --modversion fuse-bpf)" = "$VERSION" ] &&
		grep -e '-lfuse-bpf' <<<"$(pc --libs fuse-bpf)"
}

# Every header in C and C++, with many warnings; against the shared and the static library
builds_from() {
	local compiler=$1 std=$2 file=$3 link=$4

	# shellcheck disable=SC2046
	$compiler -std="$std" -Wall -Wextra -Wpedantic -Werror -D_GNU_SOURCE "$file" \
		-I"$WORK/root/usr/include" $(pkg-config --cflags fuse3 | sed 's/-I/-isystem /g') \
		$(if [ "$link" = static ]; then
			find "$WORK/root" -name libfuse-bpf.a
			pkg-config --libs fuse3 libbpf
		else
			echo "-L$(dirname "$(find "$WORK/root" -name libfuse-bpf.so)") -lfuse-bpf"
			pkg-config --libs fuse3
		fi) -pthread -o "$WORK/program" &&
		LD_LIBRARY_PATH=$(dirname "$(find "$WORK/root" -name libfuse-bpf.so)") "$WORK/program"
}

# The daemon of docs/daemons.md is what it says, and builds as it says.
example_builds() {
	local source=$OUT/lib/example.c

	wc -l "$source"
	# shellcheck disable=SC2046
	[ "$(wc -l <"$source")" -le 40 ] && [ "$(grep -c fuse_bpf_serve "$source")" -ge 1 ] &&
		gcc -Wall -Werror -D_GNU_SOURCE "$source" $(pc --cflags fuse-bpf) \
			-L"$(dirname "$(find "$WORK/root" -name libfuse-bpf.so)")" -lfuse-bpf -o "$WORK/program"
}

# The filter of docs/writing-filters.md, all its blocks together
guide_compiles() {
	local source=$WORK/guide.bpf.c

	sed -n '/^```c$/,/^```$/{/^```/!p}' docs/writing-filters.md >"$source" &&
		grep -q '^struct fuse_filter_ops' "$source" &&
		clang -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror \
			-Ibpf/include -idirafter "/usr/include/$(gcc -print-multiarch)" \
			-c "$source" -o "$WORK/guide.bpf.o"
}

SAN="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g"

build_sanitized() {
	make -s -j"${J:-2}" -C selftests sanitized SAN="$SAN"
}

sanitized() {
	UBSAN_OPTIONS=print_stacktrace=1 "$OUT/sanitized/$1_test"
}

under_valgrind() {
	TEST_SCALE=5 valgrind -q --leak-check=full --errors-for-leak-kinds=definite \
		--error-exitcode=99 "$OUT/lib/$1_test"
}

check "exports what the headers declare" exports_what_is_declared
check "soname" soname_is_right
check "functions of version 0.1" old_ones_are_there
check "install" install_it
check "everything is documented" everything_is_documented
check "pages are clean" pages_are_clean
check "pkg-config" flags_are_right
for link in shared static; do
	check "C program, $link" builds_from gcc c11 selftests/lib/program.c $link
	check "C++ program, $link" builds_from g++ c++17 selftests/lib/program.cpp $link
done
check "example of the documentation" example_builds
check "filter of the documentation" guide_compiles
check "build with sanitizers" build_sanitized
check "a million nodes" env TEST_SCALE=1000 "$OUT/lib/table_test"
for test in options session table; do
	check "$test with ASan and UBSan" sanitized $test
	check "$test under valgrind" under_valgrind $test
done
echo "# libfuse-bpf outside the guest: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
