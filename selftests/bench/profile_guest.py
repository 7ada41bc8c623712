#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest of profile.py: repeat one operation after the other, for as long as the
host watches.

    profile_guest.py FOLDER ROW COLUMN [ROW COLUMN]...

All columns are mounted before the first operation. FOLDER/kallsyms is written first. For
the n-th operation, FOLDER/begin-N appears, which holds the address of the function that
does it, and the host makes FOLDER/end-N.
"""
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
# pylint: disable-next=wrong-import-position
from bench import OPS, BUILD, make_fs, make_tree, read_columns, run

NAMES = 100


def write(path, text):
    """What is found under the name is complete."""
    with open(f"{path}.new", "w", encoding="ascii") as file:
        file.write(text)
    os.rename(f"{path}.new", path)


def main():
    folder = sys.argv[1]
    todo = list(zip(sys.argv[2::2], sys.argv[3::2]))
    run("modprobe overlay")
    fs = make_fs("tmpfs")
    make_tree(fs, NAMES)
    columns = {c.name: c for c in read_columns([column for _, column in todo], BUILD)}
    for column in columns.values():
        column.mount(fs)
    with open("/proc/kallsyms", encoding="ascii") as file:
        write(f"{folder}/kallsyms", file.read())
    for i, (row, column) in enumerate(todo):
        # What an operation that was killed has left
        run("rm -rf $DIR", DIR=f"{columns[column].dir}/work/{column}")
        args = [OPS, "-p", "-m", str(NAMES), "-R", row, f"{column}={columns[column].dir}"]
        with subprocess.Popen(args, text=True, stdout=subprocess.PIPE) as ops:
            address = ops.stdout.readline()
            if not address:
                sys.exit(f"profile: {row} in {column} does not begin")
            write(f"{folder}/begin-{i}", address)
            while not os.path.exists(f"{folder}/end-{i}") and ops.poll() is None:
                time.sleep(1)
            ops.kill()


main()
