#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""attempts.py: what somebody tries who must not have certain names.

make DIR NAME...     each way of giving DIR an entry NAME
reach DIR NAME...    each way of getting at what NAME in DIR is
handle FILE          a handle of FILE, in hexadecimal
open-handle DIR HEX  open what the handle is of, DIR being in the same mount
search               /proc for a way to a secret: descriptors, directories, memory

The first two print a line an attempt: its number, the way, the name, and "done" or an
errno. The thread is called a<number> during an attempt, as an audit trail shows it.
"""
import ctypes
import errno
import glob
import mmap
import os
import sys

AT_FDCWD, AT_HANDLE_FID, RENAME_EXCHANGE, MAX_HANDLE = -100, 0x200, 2, 128
libc = ctypes.CDLL(None, use_errno=True)
number = 0


class Handle(ctypes.Structure):
    _fields_ = [('size', ctypes.c_uint), ('type', ctypes.c_int),
                ('data', ctypes.c_ubyte * MAX_HANDLE)]


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), '')
    return result


def handle_of(path):
    handle, mount = Handle(size=MAX_HANDLE), ctypes.c_int()
    checked(libc.name_to_handle_at(AT_FDCWD, path.encode(), ctypes.byref(handle),
                                   ctypes.byref(mount), AT_HANDLE_FID))
    return handle


def open_handle(where, text):
    handle = Handle.from_buffer_copy(bytes.fromhex(text))
    return checked(libc.open_by_handle_at(os.open(where, os.O_RDONLY), ctypes.byref(handle),
                                          os.O_RDONLY))


def exchange(one, other):
    checked(libc.renameat2(AT_FDCWD, one.encode(), AT_FDCWD, other.encode(), RENAME_EXCHANGE))


def link_unnamed(where, path):
    fd = os.open(where, os.O_TMPFILE | os.O_WRONLY, 0o600)
    try:
        os.link(f'/proc/self/fd/{fd}', path, follow_symlinks=True)
    finally:
        os.close(fd)


def map_file(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ)[:]
    finally:
        os.close(fd)


def read(path, **at):
    fd = os.open(path, os.O_RDONLY, **at)
    try:
        return os.read(fd, 100)
    finally:
        os.close(fd)


def through_link(target, link):
    os.symlink(target, link)
    try:
        read(link)
    finally:
        os.unlink(link)


def by_descriptor(where, name, to):
    fd = os.open(where, os.O_PATH | os.O_DIRECTORY)
    try:
        to(fd, name)
    finally:
        os.close(fd)


def from_inside(where, name):
    back = os.open('.', os.O_PATH)
    os.chdir(where)
    try:
        read(f'/proc/self/cwd/{name}')
    finally:
        os.fchdir(back)
        os.close(back)


def listed(where, name):
    if name not in os.listdir(where):
        raise FileNotFoundError(errno.ENOENT, '')


def ways_to_make(where, name):
    path, other = os.path.join(where, name), os.path.join(where, 'innocent')
    return {
        'open, O_CREAT': lambda: os.open(path, os.O_WRONLY | os.O_CREAT, 0o600),
        'mkdir': lambda: os.mkdir(path),
        'mknod': lambda: os.mkfifo(path),
        'symlink': lambda: os.symlink('innocent', path),
        'link to it': lambda: os.link(other, path),
        'link of an unnamed file': lambda: link_unnamed(where, path),
        'rename to it': lambda: os.rename(other, path),
        'exchange with it': lambda: exchange(other, path),
    }


def ways_to_reach(where, name):
    path, other = os.path.join(where, name), os.path.join(where, 'mine')
    return {
        'open': lambda: read(path),
        'open, O_PATH': lambda: os.open(path, os.O_PATH),
        'open and mmap': lambda: map_file(path),
        'stat': lambda: os.stat(path),
        'access': lambda: checked(libc.access(path.encode(), os.F_OK)),
        'execve': lambda: os.execv(path, [path]),
        'listing': lambda: listed(where, name),
        'through a symlink': lambda: through_link(name, other),
        'through an absolute symlink': lambda: through_link(os.path.abspath(path), other),
        "through the owner's symlink": lambda: read(os.path.join(where, 'link-' + name)),
        'through ..': lambda: read(os.path.join(where, '..', os.path.basename(where), name)),
        'openat': lambda: by_descriptor(where, name, lambda fd, name: read(name, dir_fd=fd)),
        'through /proc/self/fd': lambda: by_descriptor(
            where, name, lambda fd, name: read(f'/proc/self/fd/{fd}/{name}')),
        'through /proc/self/cwd': lambda: from_inside(where, name),
        'through /proc/self/root': lambda: read('/proc/self/root' + os.path.abspath(path)),
        'file handle': lambda: handle_of(path),
        'link from it': lambda: os.link(path, other),
        'rename from it': lambda: os.rename(path, other),
        'exchange with it': lambda: exchange(os.path.join(where, 'innocent'), path),
        'chmod': lambda: os.chmod(path, 0o644),
        'truncate': lambda: os.truncate(path, 0),
        'getxattr': lambda: os.getxattr(path, 'user.x'),
        'unlink': lambda: os.unlink(path),
    }


def attempt(way, name, call):
    global number
    number += 1
    with open('/proc/self/comm', 'w') as comm:
        comm.write(f'a{number}')
    try:
        call()
        result = 'done'
    except OSError as error:
        result = errno.errorcode[error.errno]
    print(f'a{number:<5} {way:28} {name:24} {result}')


def search():
    """Whatever processes one can see have open, stand in, or map"""
    seen = 0
    for path in glob.glob('/proc/[0-9]*/fd/*') + glob.glob('/proc/[0-9]*/cwd'):
        try:
            if os.path.isdir(path):
                seen += any(name.startswith('.env') for name in os.listdir(path))
            else:
                seen += os.path.isfile(path) and b'planted-secret' in read(path)
        except OSError:
            pass
    print(seen, 'found;', len(glob.glob('/proc/[0-9]*')), 'processes seen')


def main():
    verb, words = sys.argv[1], sys.argv[2:]
    if verb in ('make', 'reach'):
        ways = ways_to_make if verb == 'make' else ways_to_reach
        for name in words[1:]:
            for way, call in ways(words[0], name).items():
                attempt(way, name, call)
    elif verb == 'handle':
        print(bytes(handle_of(words[0])).hex())
    elif verb == 'open-handle':
        attempt('open_by_handle_at', '', lambda: open_handle(*words))
    else:
        search()


main()
