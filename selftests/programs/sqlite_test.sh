#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# sqlite_test.sh: sqlite in each of its journal modes: locks on ranges, a shared
# mapping (wal), journals that are removed, cut off or overwritten; writers at the
# same time, one of them not by way of the mount; and a writer that dies.
set -u
. "$(dirname "$0")/../harness/programs.sh"

MODES='delete truncate persist wal memory'

# shellcheck disable=SC2016
write='
	writer() { # FILE WHO
		for i in {1..25}; do
			echo "PRAGMA synchronous=normal; BEGIN IMMEDIATE; INSERT INTO t SELECT NULL, hex(randomblob(200)), \"$2\"
				FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 50) SELECT i FROM n); COMMIT;"
		done | sqlite3 -cmd ".timeout 60000" -bail "$1" || echo "$2 failed"
	}
	[ "$(sqlite3 db "PRAGMA journal_mode = $MODE; CREATE TABLE t (n INTEGER PRIMARY KEY, data, who);")" = $MODE ]
	writer db one & writer "$DIRECT/db" two; wait
	sqlite3 db "PRAGMA integrity_check; SELECT who, count(*), sum(length(data)) FROM t GROUP BY who; SELECT sum(n) FROM t;
		UPDATE t SET data = 1 WHERE n % 2; DELETE FROM t WHERE n % 3 = 0; VACUUM; PRAGMA integrity_check; SELECT count(*), sum(data) FROM t;"
	sqlite3 "file:$DIRECT/db?mode=ro" "SELECT count(*) FROM t; PRAGMA integrity_check;"
	ls | sort; rm -f db*'

# The cache is too small, so that pages are written before the transaction ends.
# shellcheck disable=SC2016
die='
	sqlite3 db "PRAGMA journal_mode = $MODE; CREATE TABLE t (n INTEGER PRIMARY KEY, data); INSERT INTO t
		WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 300) SELECT i, hex(zeroblob(500)) FROM n;"
	{ printf "%s\n" "PRAGMA cache_size = 5; BEGIN; UPDATE t SET data = 1;" ".system kill -9 \$PPID" |
		sqlite3 db || echo killed; } 2>/dev/null
	find . -name "db-*" -size +0 | wc -l
	sqlite3 db "SELECT count(*), sum(length(data)) FROM t; PRAGMA integrity_check;"; rm -f db*'

plan 10
for MODE in $MODES; do
	export MODE
	program "sqlite: two writers, journal mode $MODE" "$write"
	# Without a journal on disk, a dead writer's changes stay half done
	[ "$MODE" = memory ] || program "sqlite: a writer that dies, journal mode $MODE" "$die"
done
program 'sqlite: backup into, and out of, the directory' '
	sqlite3 a "CREATE TABLE t (x UNIQUE); INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n
		WHERE i < 2000) SELECT i FROM n;"
	sqlite3 a ".backup $SOURCE/$VIEW"; sqlite3 "$SOURCE/$VIEW" ".backup b" "PRAGMA integrity_check;"
	sqlite3 b "PRAGMA integrity_check; SELECT count(*), sum(x) FROM t;"; sqlite3 a .dump | sha256sum; rm "$SOURCE/$VIEW" a b'
finish
