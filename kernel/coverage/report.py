#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""report.py BUILD SOURCES: what of our files was executed

Reads what selftests/coverage.sh left in BUILD/counters, has gcov make sense of it, and
prints the lines of each file of SOURCES that can be executed and that were, in any of the
runs. BUILD/uncovered.txt gets the lines that were not."""
import json
import os
import subprocess
import sys
import tempfile


def cut(path, directory):
    """The .gcda files that /proc/fuse_bpf_gcda consists of: a line with name and size, data"""
    names = []
    with open(path, "rb") as file:
        while line := file.readline():
            name, size = line.rsplit(b" ", 1)
            name = os.path.basename(name.decode())
            with open(os.path.join(directory, name), "wb") as out:
                out.write(file.read(int(size)))
            names.append(name)
    return names


def gcov(build, names, directory):
    """Of all files that were compiled: how often each line was executed"""
    for name in names:
        notes = name.replace(".gcda", ".gcno")
        os.symlink(os.path.join(build, notes), os.path.join(directory, notes))
    out = subprocess.run(["gcov", "--json-format", "--stdout", *names], cwd=directory,
                         check=True, stdout=subprocess.PIPE).stdout
    for text in out.splitlines():
        for file in json.loads(text)["files"]:
            for line in file["lines"]:
                yield os.path.basename(file["file"]), line["line_number"], line["count"]


def count(build, ours):
    lines = {name: {} for name in ours}
    counters = os.path.join(build, "counters")
    for path in sorted(os.listdir(counters)):
        with tempfile.TemporaryDirectory() as directory:
            names = cut(os.path.join(counters, path), directory)
            for name, nr, times in gcov(build, names, directory):
                if name in lines:
                    lines[name][nr] = lines[name].get(nr, 0) + times
    return lines


def write_uncovered(build, lines):
    with open(os.path.join(build, "uncovered.txt"), "w") as out:
        for name, counts in sorted(lines.items()):
            if not counts:
                continue
            with open(os.path.join(build, name)) as file:
                text = file.readlines()
            out.writelines(f"{name}:{nr}: {text[nr - 1]}"
                           for nr, times in sorted(counts.items()) if not times)


def main():
    build, sources = (os.path.abspath(arg) for arg in sys.argv[1:])
    lines = count(build, os.listdir(sources))
    write_uncovered(build, lines)
    all_done, all_total = 0, 0
    for name, counts in sorted(lines.items()):
        total = len(counts)
        done = sum(1 for times in counts.values() if times)
        all_done, all_total = all_done + done, all_total + total
        if total:
            print(f"{name:22} {total:5} lines, {done:5} covered, {100 * done / total:6.1f} %")
        elif name.endswith(".c"):
            print(f"{name:22} not in the module")
    print(f"{'all':22} {all_total:5} lines, {all_done:5} covered, "
          f"{100 * all_done / all_total:6.1f} %")


main()
