#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# archive_test.sh: what tar, rsync and dpkg-deb carry into a mount and out of it is
# what it was, with owners, times, ACLs, attributes, hard links and holes.
set -u
. "$(dirname "$0")/../harness/programs.sh"

# Something of everything, and real sources
make_source() {
	mkdir -p "$SOURCE/tree/sub/deep" "$SOURCE/tree/empty"
	cd "$SOURCE/tree" || return
	cp -a /src/kernel/files /src/docs .
	echo text >sub/file && ln sub/file sub/deep/hard && ln -s ../file sub/deep/soft && ln -s nowhere dangling
	mkfifo -m 620 fifo && mknod -m 604 char c 1 3 && mknod -m 640 block b 7 200
	truncate -s 3M sparse && echo end | dd of=sparse bs=1 seek=2000000 conv=notrunc status=none
	chown -h 1001:2001 sub/file sub/deep/soft empty && chmod 6750 sub/deep && chmod 1777 empty
	setfattr -n user.note -v text sub/file && setfattr -n trusted.t -v x sub
	setfacl -m u:1002:rw,g:2002:r sub/file && setfacl -d -m u:1002:rwx sub
	touch -h -d '1999-12-31 23:59:59.123456789' sub/file sub/deep/soft docs empty
	touch "$(printf 'odd\nname\t*\xff')" "$(printf 'n%.0s' {1..255})"
	cd - >/dev/null || return
}

make_deb() {
	mkdir -p "$SOURCE/pkg/DEBIAN"
	rsync -a --no-specials --no-devices --exclude 'odd*' --exclude fifo --exclude char --exclude block "$SOURCE/tree/" "$SOURCE/pkg/"
	printf 'Package: tree\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: a tree\n' \
		>"$SOURCE/pkg/DEBIAN/control"
	dpkg-deb --build -Znone "$SOURCE/pkg" "$SOURCE/tree.deb" >/dev/null
	rm -r "$SOURCE/pkg/DEBIAN"
}

# What rsync would change to make DIR2 what DIR1 is: nothing, if they are the same
export DIFFER='rsync -aHAXSni --checksum --delete'

plan 5
make_source || exit 1
make_deb || exit 1

program 'tar: in and out' '
	tar -C "$SOURCE/tree" --xattrs --xattrs-include=* --acls -S -cf in.tar .; mkdir t
	tar -C t --xattrs --xattrs-include=* --acls -xpf in.tar; $DIFFER "$SOURCE/tree/" t/
	tar -C t -df in.tar; tar -C t --xattrs --xattrs-include=* --acls -S -cf out.tar .; mkdir u
	tar -C u --xattrs --xattrs-include=* --acls -xpf out.tar; $DIFFER "$SOURCE/tree/" u/; $DIFFER t/ "$DIRECT/u/"
	find t ! -type d -printf "%P %y %m %U %G %s %n %T@\n" | sort; rm in.tar out.tar; rm -r u'
program 'tar: through pipes, with a compressor' '
	tar -C "$SOURCE/tree" -c --exclude=block . | gzip -1 >a.tgz; mkdir t; gzip -dc a.tgz | tar -C t -xp
	gzip -t a.tgz; (cd t; find . -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum; tar -tzf a.tgz | sort; rm a.tgz'
program 'rsync: both ways' '
	rsync -aHAXS --checksum "$SOURCE/tree/" t/; $DIFFER "$SOURCE/tree/" t/; $DIFFER t/ "$SOURCE/tree/"
	$DIFFER t/ "$DIRECT/t/"; rsync -aHAXS --checksum t/ "$SOURCE/$VIEW/"; $DIFFER "$SOURCE/tree/" "$SOURCE/$VIEW/"
	rm -r "$SOURCE/$VIEW"; ls t | wc -l'
program 'rsync: what has changed' '
	rsync -aHAX "$SOURCE/tree/" t/; echo more >>t/sub/file; rm t/dangling; chmod 600 t/docs/design.md; touch t/new
	$DIFFER "$SOURCE/tree/" t/ | sort; rsync -aHAX --inplace --no-whole-file --checksum --delete "$SOURCE/tree/" t/
	$DIFFER "$SOURCE/tree/" t/; rsync -aHAX --link-dest=../t "$SOURCE/tree/" u/
	find u -type f -links 1 ! -newermt 2000-01-01 | wc -l; [ t/docs/design.md -ef u/docs/design.md ]'
program 'dpkg-deb: unpack' '
	dpkg-deb -x "$SOURCE/tree.deb" t; rsync -aHni --checksum --delete "$SOURCE/pkg/" t/ | grep -v "^\.d" || :
	cp "$SOURCE/tree.deb" here.deb; dpkg-deb -I here.deb | grep Package; dpkg-deb -c here.deb | sha256sum
	dpkg-deb -R here.deb u; diff -r --no-dereference t u | grep -v DEBIAN || :
	dpkg-deb -b -Znone u again.deb >/dev/null; dpkg-deb -x again.deb v; diff -r --no-dereference t v && echo same; rm ./*.deb'
finish
