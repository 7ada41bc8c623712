#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""ways.py WAY FILE ARGUMENTS...: use a file in a way that no command does. Exits with 1
and a line if something else than the right bytes was seen.

As "serve", it does that for a test again and again, as to start a process takes longer
than most of it: words that end in NUL, and then a newline, are answered by a line with
the status and a text."""
import ctypes
import errno
import mmap
import os
import random
import subprocess
import sys
import threading
import time

PIECE = 50000
XATTR = "trusted.tierfs"


def need(good, text):
    if not good:
        sys.exit(text)


def content(path):
    with open(path, "rb") as f:
        return f.read()


def way_mmap(path, right):
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
        need(m[:] == content(right), "mapped, the bytes are others")


def way_mmap_again(path, right):
    """Of a large stub, the first attempt fails and has it fetched."""
    end = time.monotonic() + 60
    with open(path, "rb") as f:
        while True:
            try:
                m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
                break
            except OSError as e:
                need(e.errno == errno.EAGAIN, f"mmap: {e}")
                need(time.monotonic() < end, "never fetched")
                time.sleep(0.05)
        need(m[:] == content(right), "mapped, the bytes are others")


def way_mmap_write(path, right):
    data = bytearray(content(right))
    data[1000:1007] = b"changed"
    with open(path, "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        m[1000:1007] = b"changed"
        m.flush()
    need(content(path) == data, "written by a mapping, the bytes are others")


def way_sendfile(path, right):
    got, (end, begin) = b"", os.pipe()
    with open(path, "rb") as f, open(end, "rb"), open(begin, "wb"):
        while n := os.splice(f.fileno(), begin, 65536):
            got += os.read(end, n)
    need(got == content(right), "spliced, the bytes are others")


def way_pread(path, right):
    want = content(right)
    with open(path, "rb", buffering=0) as f:
        for at in random.Random(1).sample(range(0, len(want), 4096), 40):
            need(os.pread(f.fileno(), 5000, at) == want[at:at + 5000], f"other bytes at {at}")
        need(os.pread(f.fileno(), len(want) + 100, 0) == want, "other bytes")
        need(os.pread(f.fileno(), 10, len(want)) == b"", "bytes behind the end")


def way_part(fd, right, at, size):
    """Of a file that is open already, as a descriptor."""
    fd, at, size = int(fd), int(at), int(size)
    need(os.pread(fd, size, at) == content(right)[at:at + size], "other bytes")


def way_holes(path):
    with open(path, "rb") as f:
        size = os.fstat(f.fileno()).st_size
        need(os.lseek(f.fileno(), 0, os.SEEK_HOLE) == size, "a stub has a hole")
        need(os.lseek(f.fileno(), 5, os.SEEK_DATA) == 5, "a stub has no data")
        need(os.fstat(f.fileno()).st_blocks * 512 >= size, "a stub has no blocks")


def copy_all(source, target, size, at=0):
    done = 0
    while done < size:
        n = os.copy_file_range(source, target, size - done, done, at + done)
        need(n > 0, "the copy ends early")
        done += n


def way_copy_range(path, right, new):
    want = content(right)
    with open(path, "rb") as f, open(new, "wb") as g:
        copy_all(f.fileno(), g.fileno(), len(want))
    need(content(new) == want, "copied, the bytes are others")


def way_copy_over(path, right, other, other_right):
    want = bytearray(content(other_right))
    want[70000:70000 + PIECE] = content(right)[:PIECE]
    with open(path, "rb") as f, open(other, "r+b") as g:
        copy_all(f.fileno(), g.fileno(), PIECE, 70000)
    need(content(other) == want, "copied over, the bytes are others")


def way_hold(path, *command):
    """With a mapping, and no descriptor, of the file, the command must fail."""
    with open(path, "rb") as f:
        m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    before = m[:]
    need(subprocess.run(command, stderr=subprocess.DEVNULL).returncode, "evicted what is mapped")
    need(m[:] == before, "mapped, the bytes have changed")


def way_right_or_error(path, right):
    want = content(right)
    try:
        fd = os.open(path, os.O_RDONLY)
        for at in range(0, len(want), PIECE):
            got = os.pread(fd, PIECE, at)
            need(got == want[at:at + PIECE], f"other bytes at {at}")
    except OSError as e:
        need(e.errno in (errno.EIO, errno.ENOTCONN, errno.ECONNABORTED), f"{e}")


def way_at_once(rounds, tool, path, right, other, other_right):
    """Three who read, one who writes to another stub, one who evicts both."""
    want, state = content(right), {"bad": [], "reads": 0, "evicted": 0, "over": False}
    mine = bytearray(content(other_right))

    def guarded(function):
        def run(*args):
            try:
                function(*args)
            except Exception as e:
                state["bad"].append(f"{function.__name__}: {e}")
        return threading.Thread(target=run)

    def read(seed=0):
        rand = random.Random(threading.get_ident())
        for _ in range(int(rounds)):
            with open(path, "rb", buffering=0) as f:
                for _ in range(10):
                    at = rand.randrange(len(want))
                    got = os.pread(f.fileno(), PIECE, at)
                    if got != want[at:at + PIECE]:
                        raise ValueError(f"other bytes at {at}")
                    state["reads"] += 1
            time.sleep(0.02)

    def write():
        rand = random.Random(2)
        for i in range(int(rounds)):
            with open(other, "r+b", buffering=0) as f:
                at = rand.randrange(len(mine) - 10)
                os.pwrite(f.fileno(), b"%010d" % i, at)
                mine[at:at + 10] = b"%010d" % i

    def evict():
        while not state["over"]:
            for name in (path, other):
                ret = subprocess.run([tool, "evict", name], stderr=subprocess.DEVNULL)
                state["evicted"] += ret.returncode == 0

    threads = [guarded(read) for _ in range(3)] + [guarded(write)]
    evicter = guarded(evict)
    evicter.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Now that all are closed, one more must succeed
    end = time.monotonic() + 60
    while not state["evicted"] and time.monotonic() < end:
        time.sleep(0.1)
    state["over"] = True
    evicter.join()
    need(not state["bad"], "; ".join(state["bad"]))
    need(state["evicted"], "never evicted")
    need(content(path) == want, "in the end, the bytes are others")
    need(content(other) == mine, "what was written is not there")


def way_exchange(path, other):
    libc = ctypes.CDLL(None, use_errno=True)
    need(not libc.renameat2(-100, path.encode(), -100, other.encode(), 2),
         os.strerror(ctypes.get_errno()))


def numbered(i):
    """What is written as number i: some bytes that are nobody else's."""
    return b"%08d\n" % i * random.Random(i).randrange(1, 40000)


def way_keep_writing(directory, log):
    """Until that fails, which is said too: what was being written then may be there or not."""
    first = len(content(log).splitlines()) if os.path.exists(log) else 0
    with open(log, "a", encoding="ascii") as lines:
        for i in range(first, first + 1000):
            name, end = f"w{i % 7}", ""
            try:
                with open(os.path.join(directory, name), "wb", buffering=0) as f:
                    data = numbered(i)
                    while data:
                        data = data[f.write(data):]
            except OSError as e:
                need(e.errno in (errno.EIO, errno.ENOTCONN, errno.ECONNABORTED, errno.ENODEV), f"{e}")
                end = " ?"
            print(f"{name} {i}{end}", file=lines, flush=True)
            if end:
                return


def way_as_written(directory, log):
    written = {}
    with open(log, encoding="ascii") as lines:
        for name, *what in (line.split() for line in lines):
            i = int(what[0])
            if len(what) == 1:
                written[name] = [numbered(i)]
            else:
                written.setdefault(name, [b""]).append(numbered(i))
    for name, (sure, *maybe) in written.items():
        path = os.path.join(directory, name)
        got = content(path) if os.path.exists(path) else b""
        need(got == sure or any(data.startswith(got) for data in maybe),
             f"{name} is not {sure[:9]}: {got[:9]}, {len(got)} bytes")


def way_same(path, right):
    need(content(path) == content(right), f"{path} and {right} differ")


def way_state(path):
    return os.getxattr(path, XATTR + ".state").decode(errors="surrogateescape")


def way_evict(path):
    os.setxattr(path, XATTR + ".evict", b"")


def run(way, *args):
    """The status, and what is to be said."""
    try:
        text = globals()["way_" + way](*args)
    except SystemExit as e:
        return 1, e.code
    except OSError as e:
        return 1, e
    return 0, "" if text is None else text


def serve():
    words = b""
    for line in sys.stdin.buffer:
        words += line
        if words.endswith(b"\0\n"):
            status, text = run(*(word.decode(errors="surrogateescape")
                                 for word in words[:-2].split(b"\0")))
            print(status, str(text).replace("\n", " "), flush=True)
            words = b""


if sys.argv[1] == "serve":
    sys.stdout.reconfigure(errors="surrogateescape")
    serve()
else:
    exit_status, said = run(*sys.argv[1:])
    if said != "":
        print(said, file=sys.stderr if exit_status else sys.stdout)
    sys.exit(exit_status)
