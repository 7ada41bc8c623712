#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Measure, in the guest: every column beside the others, in one boot.

Prepares the tree on each backing file system, mounts the columns, and runs ops for
single operations, programs for whole jobs and fio for data. Each is repeated, with the
repetitions of all columns interleaved. Writes what was measured to one JSON file;
report.py makes tables and plots of it.
"""
import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.path.join(TOP, "build")
BENCH = os.path.join(TOP, "selftests/bench")
OPS = os.path.join(BUILD, "bench/ops")
TRACING = "/sys/kernel/tracing/instances/bench"

# Whole programs: NAME, command before the clock starts, command, command afterwards.
# DIR is the column, WORK where it writes, SIDE is outside of it. Those of FULL take longer.
PROGRAMS = [
    ("find", "", "find $DIR/src -type f -size +1k | wc -l", ""),
    ("grep_r", "", "! grep -rq '[n]o-such-word' $DIR/src", ""),
    ("tar_x", "mkdir -p $WORK/tar", "tar -xf $SIDE/src.tar -C $WORK/tar", "rm -rf $WORK/tar"),
    ("git_status", "", "git --no-optional-locks -C $DIR/src status --short | wc -l", ""),
]
FULL = [
    ("build", "cp -r $SIDE/build $WORK/build",
     "cd $WORK/build && for f in src/*.c; do gcc -O1 -D_GNU_SOURCE -Iinclude -c $f -o ${f%.c}.o || exit; done",
     "rm -rf $WORK/build"),
]

FIO_WAYS = {"buffered": "--ioengine=psync", "direct": "--ioengine=psync --direct=1",
            "mmap": "--ioengine=mmap", "io_uring": "--ioengine=io_uring --iodepth=16 --direct=1"}


def run(command, **env):
    """Run a command of bash; what it needs is in the environment."""
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], text=True,
                          env={**os.environ, **env}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.exit(f"bench: {command}\n{done.stdout}bench: ended with status {done.returncode}")
    return done.stdout


def say(text):
    print(f"bench: {time.monotonic():4.0f} s: {text}", flush=True)


class Column:
    """A way to see the tree: mounts it, and takes it away again."""

    HELPERS = 'rules() { "$BENCH/rules.sh" "$@" >"$SIDE/policy"; }; ' \
        'fuse-bpf() { "$BUILD/tools/fuse-bpf" "$@"; }; ' \
        'times() { for ((; $1 > 0;)); do "${@:2}"; set -- $(($1 - 1)) "${@:2}"; done; }; '

    def __init__(self, line, build):
        self.name, self.needs, self.command = (part.strip() for part in line.split("|", 2))
        self.build = build
        self.dir = None

    def missing(self):
        return self.needs != "-" and not os.path.exists(os.path.join(self.build, self.needs))

    def mount(self, fs):
        side = f"{fs}/side/{self.name}"
        for part in ("upper", "work"):
            os.makedirs(f"{side}/{part}", exist_ok=True)
        self.dir = f"{fs}/tree"
        if not self.command:
            return
        self.dir = f"/mnt/view/{self.name}"
        os.makedirs(self.dir, exist_ok=True)
        run(self.HELPERS + self.command, TREE=f"{fs}/tree", MNT=self.dir, SIDE=side,
            BUILD=self.build, BENCH=BENCH)

    def unmount(self):
        if self.command:
            run("umount $MNT", MNT=self.dir)
            run('rm -rf "/sys/fs/bpf/fuse-bpf"')


def read_columns(names, build, path="columns"):
    with open(f"{BENCH}/{path}", encoding="utf-8") as file:
        columns = [Column(line, build) for line in file if line.strip() and line[0] != "#"]
    if names:
        unknown = set(names) - {column.name for column in columns}
        if unknown:
            sys.exit(f"bench: no such column: {', '.join(sorted(unknown))}")
        columns = [column for column in columns if column.name in names]
    for column in columns:
        if column.missing():
            say(f"column {column.name} is left out: no {column.needs}")
    return [column for column in columns if not column.missing()]


def make_fs(kind):
    """An empty file system of this kind; returns where it is."""
    path = f"/mnt/{kind}"
    os.makedirs(path, exist_ok=True)
    if kind == "tmpfs":
        run(f"mount -t tmpfs -o size=70% tmpfs {path}")
    else:
        run(f"mkfs.{kind} -q /dev/vda && mount /dev/vda {path}")
    return path


def make_tree(fs, *names):
    """What the operations find: see ops.c."""
    tree = f"{fs}/tree"
    for part in ("files", "work", *(f"many{count}" for count in names)):
        os.makedirs(f"{tree}/{part}")
    for i in range(64):
        with open(f"{tree}/files/f{i}", "wb") as file:
            file.write(b"x" * 4096)
        os.setxattr(f"{tree}/files/f{i}", "user.bench", b"value")
    for count in names:
        for i in range(count):
            os.close(os.open(f"{tree}/many{count}/n{i}", os.O_CREAT | os.O_WRONLY, 0o644))


def make_sources(fs):
    """What the PROGRAMS find."""
    tree, side = f"{fs}/tree", f"{fs}/side"
    os.makedirs(f"{tree}/src")
    os.makedirs(f"{side}/build")
    run("cp -r $TOP/bpf $TOP/kernel/files $TOP/kernel/patches $TOP/tools $TREE/src; "
        "cp -r $TOP/libfuse-bpf/src $TOP/libfuse-bpf/include $TOP/kernel/files/include/uapi/linux "
        "$SIDE/build; mv $SIDE/build/linux $SIDE/build/include/; "
        "git -C $TREE/src init -q; git -C $TREE/src config core.checkStat minimal; "
        "git -C $TREE/src add .; "
        "git -C $TREE/src -c user.name=b -c user.email=b commit -q -m tree; "
        "tar -cf $SIDE/src.tar -C $TREE/src bpf files tools; sync",
        TREE=tree, SIDE=side, TOP=TOP)


class Results:
    """What was measured: a list of samples, seconds an operation."""

    def __init__(self):
        self.samples = {}
        self.requests = {}
        self.contended = {}

    def add(self, fs, row, column, seconds):
        self.samples.setdefault(fs, {}).setdefault(row, {}).setdefault(column, []).append(seconds)

    def add_requests(self, fs, row, column, count):
        self.requests.setdefault(fs, {}).setdefault(row, {})[column] = count

    def add_contended(self, fs, row, column, count):
        self.contended.setdefault(fs, {}).setdefault(row, {})[column] = count


def ops_lines(columns, *args):
    done = subprocess.Popen([OPS, *args, *(f"{c.name}={c.dir}" for c in columns)], text=True,
                            stdout=subprocess.PIPE)
    for line in done.stdout:
        yield line.split()
    if done.wait():
        sys.exit(f"bench: {OPS} ended with status {done.returncode}")


class Variant:
    """Rows with so many names in a directory, and so many workers."""

    def __init__(self, options, names, workers):
        self.names, self.workers = names, workers
        self.suffix = f"/{names}" if len(options.names) > 1 else ""
        self.suffix += f"*{workers}" if len(options.workers) > 1 else ""
        self.args = ["-m", str(names), "-j", str(workers)]
        if options.rows:
            self.args += ["-R", options.rows]


def variants(options):
    return [Variant(options, n, w) for n in options.names for w in options.workers]


def time_ops(results, fs, columns, options):
    args = ["-t", str(options.ms), "-r", str(options.repetitions), "-l", str(options.limit)]
    if options.fixed:
        args += ["-b"]
    for variant in variants(options):
        for _, row, column, _, count, ns in ops_lines(columns, *args, *variant.args):
            results.add(fs, row + variant.suffix, column, int(ns) / 1e9 / int(count))


class Contention:
    """Counts how often ops had to wait for a lock, by the kernel's tracepoint."""

    DIR = f"{TRACING}/events/lock/contention_begin"
    HIST = 'hist:keys=flags if comm == "ops"'

    def __enter__(self):
        os.makedirs(TRACING, exist_ok=True)
        self.trigger("")
        return self

    def __exit__(self, *_):
        self.trigger("!")
        os.rmdir(TRACING)

    def trigger(self, sign):
        with open(f"{self.DIR}/trigger", "w", encoding="ascii") as file:
            file.write(sign + self.HIST)

    def hits(self):
        with open(f"{self.DIR}/hist", encoding="ascii") as file:
            return int(re.search(r"Hits: (\d+)", file.read()).group(1))


def count_contended(results, fs, columns, options):
    """For each row, with one column at a time."""
    done = {row.split("*")[0].split("/")[0] for row in results.samples[fs]}
    with Contention() as contention:
        for variant in variants(options):
            for row in sorted(done):
                for column in columns:
                    before = contention.hits()
                    args = ["-t", str(options.ms), "-r", "2", *variant.args, "-R", row]
                    count = sum(int(line[4]) for line in ops_lines([column], *args))
                    results.add_contended(fs, row + variant.suffix, column.name,
                                          (contention.hits() - before) / count)


def watch_requests():
    """Have the kernel count requests by connection; the files that tell them."""
    os.makedirs(TRACING, exist_ok=True)
    files = []
    for system in ("fuse", "fuse_bpf"):
        event = f"{TRACING}/events/{system}/fuse_request_send"
        if os.path.exists(event):
            with open(f"{event}/trigger", "w", encoding="ascii") as file:
                file.write("hist:keys=connection")
            files.append(f"{event}/hist")
    return files


def unwatch_requests(files):
    for path in files:
        with open(os.path.dirname(path) + "/trigger", "w", encoding="ascii") as file:
            file.write("!hist:keys=connection")
    os.rmdir(TRACING)


def connection(path):
    dev = os.stat(path).st_dev
    return os.major(dev) << 20 | os.minor(dev)


def requests(files, path):
    text = ""
    for name in files:
        with open(name, encoding="ascii") as file:
            text += file.read()
    wanted = str(connection(path))
    return sum(int(hits) for dev, hits in
               re.findall(r"connection:\s*(\d+) } hitcount:\s*(\d+)", text) if dev == wanted)


def count_ops(results, fs, columns, options, files):
    for variant in variants(options):
        if variant.workers > 1:
            continue
        args = ["-c", ",".join(files), *variant.args]
        for _, row, column, count, seen in ops_lines(columns, *args):
            results.add_requests(fs, row + variant.suffix, column, int(seen) / int(count))


def program(column, fs, commands):
    """Seconds that the second of three commands takes."""
    env = {"DIR": column.dir, "WORK": f"{column.dir}/work/{column.name}", "SIDE": f"{fs}/side"}
    before, command, after = commands
    if before:
        run(before, **env)
    begin = time.monotonic()
    run(command, **env)
    took = time.monotonic() - begin
    if after:
        run(after, **env)
    return took


def time_programs(results, kind, fs, columns, options, files):
    for name, *commands in PROGRAMS + (FULL if options.full else []):
        if options.rows and name not in options.rows.split(","):
            continue
        for column in columns:
            before = requests(files, column.dir)
            program(column, fs, commands)  # the first one warms up
            results.add_requests(kind, name, column.name, requests(files, column.dir) - before)
        for rep in range(options.programs):
            for i in range(len(columns)):
                column = columns[(i + rep) % len(columns)]
                results.add(kind, name, column.name, program(column, fs, commands))


def fio_jobs(full):
    if not full:
        return [("read", "64k", "buffered", 1)]
    jobs = [(rw, bs, way, n) for rw in ("read", "write", "randread", "randwrite")
            for bs in ("4k", "64k", "1m") for way in ("buffered", "direct", "mmap") for n in (1, 2)]
    return jobs + [(rw, "4k", "io_uring", 1) for rw in ("randread", "randwrite")]


def fio(column, job, ms):
    """Seconds a block, by fio."""
    rw, bs, way, jobs = job
    out = run(f"fio --name=j --directory=$DIR/work/{column.name} --filename_format=fio.$jobnum "
              f"--size=16M --rw={rw} --bs={bs} --numjobs={jobs} {FIO_WAYS[way]} --time_based "
              f"--runtime={ms}ms --group_reporting --output-format=json --eta=never "
              "--randrepeat=1 --invalidate=0", DIR=column.dir, jobnum="$jobnum")
    data = json.loads(out[out.index("{"):])["jobs"][0]
    part = data["write" if "write" in rw else "read"]
    return 1 / part["iops"]


def time_fio(results, kind, columns, options):
    for job in fio_jobs(options.full):
        name = f"fio_{job[0]}_{job[1]}_{job[2]}_{job[3]}"
        if options.rows and name not in options.rows.split(","):
            continue
        for rep in range(options.programs):
            for i in range(len(columns)):
                column = columns[(i + rep) % len(columns)]
                results.add(kind, name, column.name, fio(column, job, options.fio_ms))
    for column in columns:
        run(f"rm -f {column.dir}/work/{column.name}/fio.*")


def use_module(build):
    """Load another build's module in the place of the one that is loaded."""
    run("umount /sys/fs/fuse_bpf/connections; rmmod fuse_bpf; insmod $BUILD/module/fuse_bpf.ko; "
        "mount -t fusectl_bpf none /sys/fs/fuse_bpf/connections", BUILD=build)


def machine(options):
    """What one must know to read the figures."""
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = re.search(r"model name\s*: (.*)", file.read()).group(1)
    return {"kernel": os.uname().release, "flavour": os.environ.get("FLAVOUR", ""),
            "cpu": model, "cpus": os.cpu_count(), "names": options.names,
            "counted": bool(os.environ.get("BENCH_ICOUNT"))}


def bench(kind, columns, options, results):
    say(f"{kind}: making the tree")
    fs = make_fs(kind)
    make_tree(fs, *options.names)
    if not options.only_ops:
        make_sources(fs)
    for column in columns:
        column.mount(fs)
    say(f"{kind}: operations in {len(columns)} columns")
    time_ops(results, kind, columns, options)
    files = watch_requests()
    try:
        say(f"{kind}: requests")
        count_ops(results, kind, columns, options, files)
        if not options.only_ops:
            say(f"{kind}: programs")
            time_programs(results, kind, fs, columns, options, files)
    finally:
        # The module cannot be unloaded before.
        unwatch_requests(files)
    if len(options.workers) > 1:
        say(f"{kind}: contended locks")
        count_contended(results, kind, columns, options)
    if not options.only_ops:
        say(f"{kind}: fio")
        time_fio(results, kind, columns, options)
    for column in columns:
        column.unmount()
    run(f"umount {fs}")


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fs", default="tmpfs,ext4")
    parser.add_argument("--columns-file", default="columns")
    parser.add_argument("--columns", help="NAME,...; all by default")
    parser.add_argument("--rows", help="NAME,...; all by default")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--fixed", action="store_true", help="batches of a fixed size")
    parser.add_argument("--only-ops", action="store_true", help="no programs and no fio")
    parser.add_argument("--ms", type=float, default=5, help="length of a batch")
    parser.add_argument("--limit", type=float, default=1000,
                        help="milliseconds for all batches of a row in a column")
    parser.add_argument("--names", type=numbers, default=[1000],
                        help="N,...: in the directory that is listed")
    parser.add_argument("--workers", type=numbers, default=[1],
                        help="N,...: processes that do the same, each on its processor")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--programs", type=int, default=3, help="repetitions of programs")
    parser.add_argument("--fio-ms", type=int, default=1000)
    parser.add_argument("--build", default=BUILD,
                        help="folder with the module, the command and the filters")
    parser.add_argument("out", help="JSON file")
    options = parser.parse_args()

    shutil.rmtree("/mnt/view", ignore_errors=True)
    # Daemons keep a file open for each inode that the kernel knows.
    resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 19, 1 << 19))
    run("modprobe overlay")
    if options.build != BUILD:
        use_module(options.build)
    names = options.columns.split(",") if options.columns else None
    columns = read_columns(names, options.build, options.columns_file)
    results = Results()
    for kind in options.fs.split(","):
        bench(kind, columns, options, results)
    with open(options.out, "w", encoding="utf-8") as file:
        json.dump({"machine": machine(options), "columns": [c.name for c in columns],
                   "samples": results.samples, "requests": results.requests,
                   "contended": results.contended}, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
