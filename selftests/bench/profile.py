#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Where do the instructions of an operation go? Counts them by function.

    profile.py [-n FUNCTIONS] ROW COLUMN [ROW COLUMN]...

Boots a guest on an emulated processor, has it repeat each operation (see ops.c and
columns), and has the emulator log the address of each instruction for some repetitions.
Figures are instructions of one operation: an average over the repetitions that took about
as many as most, so that neither interrupts nor what is done between batches counts. Logs
are left in build/bench/profile.
"""
import argparse
import bisect
import collections
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
FOLDER = "build/bench/profile"
LOG_SIZE = 60 << 20
LOG_LINE = re.compile(r"Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/")
KERNEL = 1 << 63
USUAL = 0.02        # how far from the median a repetition may be


class Monitor:
    """QEMU's monitor, in the language of people."""

    PROMPT = b"(qemu) "

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.wait()

    def wait(self):
        text = b""
        while not text.endswith(self.PROMPT):
            text += self.socket.recv(4096)

    def __call__(self, command):
        self.socket.send(command.encode() + b"\n")
        self.wait()


def wait_for(path, guest):
    while not os.path.exists(path):
        if guest.poll() is not None:
            sys.exit(f"profile: the guest has ended; see {FOLDER}/guest.log")
        time.sleep(0.2)


def watch(monitor, number):
    """Log what the guest does now."""
    log = f"{FOLDER}/{number}.log"
    monitor(f"logfile /src/{log}")
    # Nothing may stay translated in larger pieces, or jump from one to the next.
    monitor("one-insn-per-tb on")
    monitor("log exec,nochain")
    while not os.path.exists(log) or os.path.getsize(log) < LOG_SIZE:
        time.sleep(0.2)
    monitor("log none")
    monitor("one-insn-per-tb off")


class Symbols:
    """Which function an address is in."""

    def __init__(self):
        with open(f"{FOLDER}/kallsyms", encoding="ascii") as file:
            fields = (line.split() for line in file)
            symbols = sorted((int(f[0], 16), f[2]) for f in fields if f[1] in "tTwW")
        self.addresses = [address for address, _ in symbols]
        self.names = [name for _, name in symbols]
        self.known = {}

    def __getitem__(self, address):
        if address < KERNEL:
            return "(user space)"
        if address not in self.known:
            self.known[address] = self.names[bisect.bisect_right(self.addresses, address) - 1]
        return self.known[address]


def repetitions(number, symbols):
    """Of each repetition in a log, how many instructions each function took."""
    with open(f"{FOLDER}/begin-{number}", encoding="ascii") as file:
        begin = int(file.read(), 16)
    counts = None
    with open(f"{FOLDER}/{number}.log", encoding="ascii", errors="replace") as log:
        for line in log:
            match = LOG_LINE.match(line)
            if not match:
                continue
            address = int(match.group(1), 16)
            if address == begin:
                if counts:
                    yield counts
                counts = collections.Counter()
            if counts is not None:
                counts[symbols[address]] += 1


def report(number, symbols, row, column, limit):
    counts = list(repetitions(number, symbols))
    if not counts:
        sys.exit(f"profile: {FOLDER}/{number}.log has no repetition from its beginning to its end")
    median = statistics.median(c.total() for c in counts)
    usual = [c for c in counts if abs(c.total() - median) <= USUAL * median]
    total = sum(usual, collections.Counter())
    print(f"{row} {column}: {total.total() / len(usual):.0f} instructions, "
          f"{len(usual)} of {len(counts)} repetitions")
    for name, count in total.most_common(limit):
        print(f"{count / len(usual):8.1f} {100 * count / total.total():5.1f} %  {name}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=40, help="functions that are shown")
    parser.add_argument("what", nargs="+", help="ROW COLUMN")
    options = parser.parse_args()
    if len(options.what) % 2:
        parser.error("each ROW needs a COLUMN")
    todo = list(zip(options.what[::2], options.what[1::2]))

    os.chdir(TOP)
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    with open(f"{FOLDER}/guest.log", "w", encoding="utf-8") as out, \
         subprocess.Popen(["selftests/vm/run.sh", "--icount", "--timeout", "1800", "--monitor",
                           f"/src/{FOLDER}/monitor", "--",
                           "selftests/bench/profile_guest.py", FOLDER, *options.what],
                          stdout=out, stderr=out) as guest:
        for i in range(len(todo)):
            wait_for(f"{FOLDER}/begin-{i}", guest)
            if not i:
                monitor = Monitor(f"{FOLDER}/monitor")
            watch(monitor, i)
            with open(f"{FOLDER}/end-{i}", "w", encoding="ascii"):
                pass
    symbols = Symbols()
    for i, (row, column) in enumerate(todo):
        report(i, symbols, row, column, options.n)


main()
