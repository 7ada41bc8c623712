#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel's slab caches hold for an inode, and for an open file, in the guest.

    memory.py [COLUMN...]

For each column (see the file "columns"): looks at many files of an ext4 that nobody has
looked at, opens some of them, and prints how many bytes of slabs each has cost, those
of the backing's own inodes included, with the caches that grew.
"""
import os
import resource
import sys

sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
import bench
import report

COLUMNS = ["native", "bind", "overlayfs", "backed", "noop", "rules_40"]
FILES = 20000
OPEN = 4000
SHOWN = 16      # bytes an object, of caches that are worth a line


def slabs():
    """Bytes of the objects in use, by cache."""
    with open("/proc/slabinfo", encoding="ascii") as file:
        lines = [line.split() for line in file if not line.startswith(("slabinfo", "#"))]
    return {line[0]: int(line[1]) * int(line[3]) for line in lines}


def forget():
    """Drop all that can be dropped, until that makes no difference."""
    left = None
    while left is None or sum(slabs().values()) < left * 0.999:
        left = sum(slabs().values())
        bench.run("sync; for i in 1 2 3; do echo 3 >/proc/sys/vm/drop_caches; sleep 0.2; done")


def grown(before, after, count):
    return {name: (after[name] - before.get(name, 0)) / count for name in after}


def measure(column):
    """Bytes for each inode and for each open file, by cache."""
    names = [f"{column.dir}/many{FILES}/n{i}" for i in range(FILES)]
    forget()
    start = slabs()
    for name in names:
        os.stat(name)
    seen = slabs()
    files = [os.open(name, os.O_RDONLY) for name in names[:OPEN]]
    opened = slabs()
    for file in files:
        os.close(file)
    return grown(start, seen, FILES), grown(seen, opened, OPEN)


def show(title, columns, measured):
    """A table of the caches that matter, their sum, and that by native's."""
    caches = [name for name in measured[0] if max(m.get(name, 0) for m in measured) >= SHOWN]
    caches.sort(key=lambda name: -max(m.get(name, 0) for m in measured))
    lines = [[name] + [f"{m.get(name, 0):.0f}" for m in measured] for name in caches]
    sums = [sum(m.values()) for m in measured]
    lines.append(["all"] + [f"{total:.0f}" for total in sums])
    lines.append(["more than native"] + [f"{total - sums[0]:.0f}" for total in sums])
    print(f"\n{report.table([title] + [c.name for c in columns], lines)}")


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 19, 1 << 19))
    bench.run("modprobe overlay")
    columns = bench.read_columns(sys.argv[1:] or COLUMNS, bench.BUILD)
    fs = bench.make_fs("ext4")
    bench.make_tree(fs, FILES)
    measured = []
    for column in columns:
        column.mount(fs)
        measured.append(measure(column))
        column.unmount()
    bench.run(f"umount {fs}")
    show("bytes / inode", columns, [inodes for inodes, _ in measured])
    show("bytes / open file", columns, [files for _, files in measured])
    return 0


if __name__ == "__main__":
    sys.exit(main())
