#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# build_test.sh: a C project of some files, libraries and a generated header, made with
# make: what is new and what is old is told by times alone.
set -u
. "$(dirname "$0")/../harness/programs.sh"

project() {
	local i

	mkdir "$SOURCE/project" && cd "$SOURCE/project" || return
	for i in 1 2 3; do
		printf '#include "all.h"\nint f%d(int x)\n{\n\treturn x + %d + BASE;\n}\n' "$i" "$i" >"f$i.c"
	done
	cat >main.c <<-'EOF'
		#include <stdio.h>
		#include "all.h"
		int main(void)
		{
			return printf("%d\n", f1(f2(f3(0)))) < 0;
		}
	EOF
	sed 's/^\t\t//' >Makefile <<'EOF'
		CFLAGS = -O1 -fPIC -MMD
		all: static shared
		all.h: Makefile
			printf '#define BASE 10\nint f1(int), f2(int), f3(int);\n' >$@
		%.o: %.c all.h
			$(CC) $(CFLAGS) -c $< -o $@
		libf.a: f1.o f2.o f3.o
			$(AR) rcsD $@ $^
		libf.so: f1.o f2.o f3.o
			$(CC) -shared $^ -o $@
		static: main.o libf.a
			$(CC) $^ -o $@
		shared: main.o libf.so
			$(CC) main.o -L. -lf -Wl,-rpath,'$$ORIGIN' -o $@
		-include *.d
EOF
	cd - >/dev/null || return
}

plan 1
project || exit 1

program 'make: build, run, change, build again' '
	cp "$SOURCE"/project/* .; make -sj2; ./static; ./shared; make -q; nm libf.a | grep -c " T "
	sleep 0.05; sed -i "s/+ 2/+ 200/" f2.c; ! make -q 2>/dev/null; make -n | grep -c -- "-c"; make -sj2; ./static; ./shared
	make -q; cp -p f2.o "$DIRECT/copy.o"; cmp copy.o f2.o; make -sC "$DIRECT" -q; strip shared; ./shared
	readelf -d shared | grep -c ORIGIN; rm shared; touch f1.o; make -sj2; ./shared; rm ./*.d'
finish
