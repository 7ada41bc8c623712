#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""ways.py FILE RANGES COPY...: read FILE in every way there is, and say what came out.

RANGES is START-END,START-END...; COPY are places for copies, the first of them in the
same mount. Prints one line a way:
its name, and "true" for the bytes as they are on the backing, which is given on the
standard input, "zeros" if those in the ranges are zero and the others true, "refused"
with an errno, or "WRONG".
"""
import errno
import mmap
import os
import subprocess
import sys

path, ranges, copies = sys.argv[1], sys.argv[2], sys.argv[3:]
true = sys.stdin.buffer.read()
size = len(true)
zeros = bytearray(true)
for text in ranges.split(','):
    start, end = (int(number) for number in text.split('-'))
    zeros[start:end] = bytes(min(end, size) - start)


def open_file():
    return os.open(path, os.O_RDONLY)


def way_read(fd):
    return b''.join(iter(lambda: os.read(fd, 1000), b''))


def way_pread(fd):
    return b''.join(os.pread(fd, 777, at) for at in range(0, size, 777))


def way_readv(fd):
    parts = [bytearray(size // 2), bytearray(size - size // 2)]
    done = os.preadv(fd, parts, 0)
    return b''.join(parts)[:done]


def way_mmap(fd, flags=mmap.MAP_SHARED):
    with mmap.mmap(fd, size, flags, mmap.PROT_READ) as area:
        return area[:]


def way_mmap_private(fd):
    return way_mmap(fd, mmap.MAP_PRIVATE)


def way_splice(fd):
    """Through a pipe, a part at a time"""
    read_end, write_end = os.pipe()
    data = b''
    while part := os.splice(fd, write_end, 4096):
        data += os.read(read_end, part)
    return data


def way_sendfile(fd):
    read_end, write_end = os.pipe()
    data, at = b'', 0
    while part := os.sendfile(write_end, fd, at, 4096):
        at += part
        data += os.read(read_end, part)
    return data


def copy_to(place):
    def way(fd):
        target = os.open(place, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            while os.copy_file_range(fd, target, size):
                pass
            return os.pread(target, size, 0)
        finally:
            os.close(target)
            os.unlink(place)
    return way


def command(*words):
    def way(fd):
        return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=True).stdout
    return way


def cp_to(place):
    def way(fd):
        subprocess.run(['cp', path, place], check=True, stderr=subprocess.DEVNULL)
        with open(place, 'rb') as file:
            data = file.read()
        os.unlink(place)
        return data
    return way


def report(name, way):
    fd = open_file()
    try:
        data = way(fd)
        word = 'true' if data == true else 'zeros' if data == zeros else 'WRONG'
    except OSError as error:
        word = 'refused ' + errno.errorcode[error.errno]
    except subprocess.CalledProcessError as error:
        word = 'WRONG: ' + str(error)
    os.close(fd)
    print(f'{name:28} {word}')


report('read', way_read)
report('pread', way_pread)
report('preadv', way_readv)
report('mmap, shared', way_mmap)
report('mmap, private', way_mmap_private)
report('splice', way_splice)
report('sendfile', way_sendfile)
report('cat', command('cat', path))
report('dd with O_DIRECT', command('dd', 'if=' + path, 'iflag=direct', 'bs=4096'))
report('copy_file_range', copy_to(copies[0]))
for place in copies:
    report('cp to ' + os.path.dirname(place), cp_to(place))
