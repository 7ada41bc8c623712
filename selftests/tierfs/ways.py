#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""ways.py WAY FILE ARGUMENTS...: use a file in a way that no command does. Exits with 1
and a line if something else than the right bytes was seen."""
import errno
import mmap
import os
import random
import subprocess
import sys
import threading
import time

PIECE = 50000


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
    with open(path, "rb") as f:
        while n := os.splice(f.fileno(), begin, 65536):
            got += os.read(end, n)
    need(got == content(right), "spliced, the bytes are others")


def way_pread(path, right):
    want = content(right)
    fd = os.open(path, os.O_RDONLY)
    for at in random.Random(1).sample(range(0, len(want), 4096), 40):
        need(os.pread(fd, 5000, at) == want[at:at + 5000], f"other bytes at {at}")
    need(os.pread(fd, len(want) + 100, 0) == want, "other bytes")
    need(os.pread(fd, 10, len(want)) == b"", "bytes behind the end")


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


globals()["way_" + sys.argv[1]](*sys.argv[2:])
