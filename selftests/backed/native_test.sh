#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# native_test.sh: each script below is run in a directory and in a backed mount of
# another one like it; what it prints must be the same, and so must the two
# directories afterwards. NATIVE_FS names the file systems, of ext4, tmpfs, xfs,
# btrfs and overlay; "make test-full" takes all of them. The heavy scripts run on
# ext4 only, and not on the debug kernel.
set -u

. "$(dirname "$0")/../harness/native.sh"

USER1='setpriv --reuid=1001 --regid=1001 --clear-groups'

# heavy NAME SCRIPT: as compare, on one file system only
heavy() { [ "$fs" != ext4 ] || [ "${FLAVOUR:-module}" = debug ] || compare "$@"; }

# limited SCRIPT: a guest on a busy host is slow
limited() {
	timeout 400 bash -c "$1" 2>&1 </dev/null
	[ $? -ne 124 ] || echo "took too long"
}

# compare NAME SCRIPT: SCRIPT starts in an empty directory, as root
compare() {
	local native mount

	native=$(cd "$TOP/fs/native" && limited "$2")
	mount=$(cd "$TOP/mnt" && limited "$2")
	[ "$native" = "$mount" ]
	verdict $? "$fs: $1" "native: $native
mount:  $mount"
	diff <(tree "$TOP/fs/native") <(tree "$TOP/fs/backing") >"$TOP/diff" 2>&1 ||
		verdict 1 "$fs: $1: the trees" "$(head -n 5 "$TOP/diff")"
	find "$TOP/fs/native" "$TOP/mnt" -mindepth 1 -delete
}

all() {
	compare 'create, write, append, truncate' '
		echo one > f; cat f; echo two >> f; cat f; truncate -s 3 f; cat f; echo; truncate -s 10 f
		od -c f; : > f; stat -c "%a %u %g %s %h %F" f; cp f g; mv f h; ls -A'
	compare 'exclusive and racing creation' '
		set -C; echo a > f; echo b > f; cat f; mkdir f; mkdir d; mkdir d; ln f d; ls -R'
	compare 'directories' '
		mkdir -p a/b/c; rmdir a; rmdir a/b/c; ls -R; stat -c "%a %h" a; mkdir -m 1777 t; stat -c %a t
		rm -r a; ls; cd t; rmdir ../t; ls -A; touch x'
	compare 'hard links' '
		echo x > f; ln f g; stat -c %h f g; [ f -ef g ] && echo one; rm f; cat g; stat -c %h g
		ln g d/h; mkdir d; ln g d/h; ln d e; ls -R'
	compare 'symbolic links' '
		ln -s target l; readlink l; cat l; echo x > target; cat l; ln -s l ll; cat ll; ln -s loop loop
		cat loop; chown -h 5:6 l; stat -c "%F %u %g %s" l; rm l; ls'
	compare 'special files' '
		mkfifo p; mknod c c 1 3; mknod b b 7 200; stat -c "%F %a %t %T" p c b; echo x > c
		(echo through > p) & cat p'
	compare 'rename' '
		echo a > a; echo b > b; mv a b; cat b; mkdir d e; mv b d/c; cat d/c; mv d e; ls -R; mv e e/d
		touch x; mv -T x e; mkdir y; mv -T e y; ls -R; mv -n y/d/c y; touch y/d/c; mv -n y/d/c y; cat y/c'
	compare 'attributes' '
		touch f; chmod 640 f; chown 5:6 f; touch -d @1000.5 f; stat -c "%a %u %g %Y %X" f; touch -a -d @7 f
		stat -c "%X %Y" f; chmod u+s,g+s,+t f; stat -c %a f; chown 7 f; stat -c "%a %u" f'
	compare 'a user without privileges' "
		chmod 777 .; echo root > r; chmod 600 r; mkdir -m 700 p
		$USER1 bash -c 'echo mine > f; stat -c \"%u %g %a\" f; cat r; echo x > r; ls p; chmod 777 r
			chown 5 f; touch -d @1 r; rm -f r; ls; mkdir d; touch d/f; ln r l; mknod c c 1 3'"
	compare 'the sticky bit' "
		chmod 1777 .; touch f g; $USER1 bash -c 'rm -f f; mv f h; touch u; mv u v; rm v; touch w; mv -f w g'; ls"
	compare 'setgid directories' "
		mkdir -m 2777 d; chgrp 3000 d; $USER1 bash -c 'touch d/f; mkdir d/d; stat -c \"%g %a\" d/f d/d'
		$USER1 bash -c 'umask 0; python3 -c \"import os; os.close(os.open(\\\"d/s\\\", os.O_CREAT, 0o2775))\"; stat -c \"%g %a\" d/s'"
	compare 'privileges dropped on write' "
		cp /bin/true x; chmod 6777 x; $USER1 bash -c 'echo >> x'; stat -c %a x; chmod 6777 x
		$USER1 truncate -s 5 x; stat -c %a x; chmod 6777 x; $USER1 fallocate -l 1M x; stat -c %a x
		chmod 6777 x; $USER1 dd if=/dev/zero of=x bs=4k count=1 conv=notrunc status=none; stat -c %a x
		chmod 6777 x; chown 5 x; stat -c %a x; chmod 2767 x; $USER1 bash -c 'echo >> x'; stat -c %a x"
	compare 'umask' 'umask 027; touch f; mkdir d; mkfifo p; ln -s x l; stat -c %a f d p l'
	compare 'extended attributes' "
		touch f; setfattr -n user.a -v 1 f; setfattr -n trusted.b -v 2 f; getfattr -d -m - f
		chmod 666 f; $USER1 getfattr -d -m - f; $USER1 setfattr -n user.c -v 3 f; $USER1 setfattr -n trusted.d -v 4 f
		setfattr -x user.a f; setfattr -x user.a f; getfattr -d -m - f; getfattr -n user.none f
		mkdir d; setfattr -n user.e -v 5 d; getfattr -d d; ln -s f l; setfattr -h -n user.f -v 6 l"
	compare 'ACLs' "
		echo x > f; chmod 600 f; $USER1 cat f; setfacl -m u:1001:r f; getfacl f; $USER1 cat f; stat -c %a f
		setfacl -b f; $USER1 cat f; chmod 755 .; mkdir d; setfacl -d -m u:1001:rwx d; getfacl d; touch d/f; mkdir d/d
		getfacl d/f d/d; $USER1 bash -c 'echo y > d/f'; $USER1 setfacl -m u:5:r d/f"
	compare 'holes and allocation' '
		truncate -s 1M f; fallocate -o 256K -l 64K f; stat -c %s f; echo x | dd of=f bs=1 seek=524288 conv=notrunc status=none
		fallocate -p -o 524288 -l 4096 f; stat -c %s f; fallocate -n -o 1M -l 64K f; stat -c %s f; sha256sum f'
	compare 'copies' '
		seq 50000 > f; cp --reflink=auto f g; cmp f g; cp --sparse=always f h; cmp f h; dd if=f of=i bs=777 status=none
		cmp f i; cat f g h > j; sha256sum j; cp -a f k; stat -c %Y f k | uniq | wc -l'
	compare 'direct I/O' 'dd if=/dev/zero of=f bs=64K count=8 oflag=direct status=none; stat -c %s f
		dd if=f of=/dev/null bs=4K iflag=direct status=none && echo read'
	compare 'append-only and immutable' '
		echo x > f; chattr +a f && { echo y >> f; echo z > f; rm -f f; chattr -a f; }; cat f
		chattr +i f && { echo w >> f; rm -f f; chattr -i f; }; rm f; ls'
	compare 'locks' '
		touch f; exec 3>f; flock 3; flock -n f true; echo $?; flock -u 3; flock -n f true; echo $?
		exec 4<f; flock -s 4; flock -n -s f true; echo $?; flock -n f true; echo $?'
	compare 'unlinked while open' '
		exec 3<>f; echo data >&3; rm f; ls -A; cat /proc/self/fd/3; stat -L -c "%h %s" /proc/self/fd/3; touch f; ls -A'
	compare 'long names' '
		n=$(printf "n%.0s" {1..255}); touch $n; ls | wc -c; touch ${n}n; mkdir d; mv $n d/$n; ls d | wc -c'
	heavy 'many entries' 'touch f{1..3000}; ls | sort | sha256sum; ls | wc -l; rm f1???; ls | wc -l; rm -r ./*; ls'
	heavy 'a deep path' '
		for i in {1..200}; do mkdir d && cd d || break; done; cd ..; rmdir d; ls -A'
	heavy 'tar' 'tar cf t -C /src kernel docs; mkdir x; tar xpf t -C x; find x -type f | sort | xargs sha256sum | sha256sum
		tar df t -C x; rm -r x'
	heavy 'a small build' '
		printf "int f(void);\nint main(void) { return f(); }\n" > m.c; echo "int f(void) { return 0; }" > f.c
		printf "p: m.o f.o\n\tgcc -o p m.o f.o\n" > Makefile; make -s 2>&1; ./p; echo $?; touch f.c; make -q; echo $?'
	heavy 'git' '
		git init -q . && git config user.email a@b && git config user.name a && seq 1000 > f && mkdir d && seq 5 > d/g &&
		git add . && git commit -qm one && git status --short; seq 2000 > f; git status --short; git commit -qam two
		git gc -q; git fsck; git log --format=%s; git checkout -q HEAD~1; wc -l < f; rm -rf .git'
}

# shellcheck disable=SC2086
set -- ${NATIVE_FS:-ext4}
light=$(grep -c "^	compare '" "$0")
heavy=$(grep -c "^	heavy '" "$0")
plan=0
for fs; do
	plan=$((plan + light + 1))
	[ "$fs" != ext4 ] || [ "${FLAVOUR:-module}" = debug ] || plan=$((plan + heavy))
done
echo "TAP version 13"
echo "1..$plan"
for fs; do
	if ! set_up "$fs"; then
		verdict 1 "$fs: a backed mount can be made"
		continue
	fi
	all
	tear_down
	verdict $? "$fs: nothing is held after unmounting"
done
rm -rf "$TOP"
exit $failed
