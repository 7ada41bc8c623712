#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""names.py DIR NAME [STOP]: what each call that takes a name says of NAME in DIR.

Prints a line a call: its errno, or "done". With STOP, looks NAME up and lists DIR
again and again until that file exists, and prints how often, how often it was there,
and how often something else went wrong.
"""
import errno
import os
import sys

where, name = sys.argv[1], sys.argv[2]
path = os.path.join(where, name)
other = os.path.join(where, f'other-{os.getpid()}')

CALLS = {
    'stat': lambda: os.lstat(path),
    'access': lambda: os.stat(path),
    'open': lambda: os.close(os.open(path, os.O_RDONLY)),
    'open, O_CREAT': lambda: os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)),
    'open, O_CREAT and O_EXCL': lambda: os.close(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)),
    'mkdir': lambda: os.mkdir(path),
    'mknod': lambda: os.mkfifo(path),
    'symlink': lambda: os.symlink('x', path),
    'link to it': lambda: os.link(other, path),
    'link from it': lambda: os.link(path, other + '-2'),
    'rename to it': lambda: os.rename(other, path),
    'rename from it': lambda: os.rename(path, other + '-2'),
    'unlink': lambda: os.unlink(path),
    'rmdir': lambda: os.rmdir(path),
    'chmod': lambda: os.chmod(path, 0o600),
    'truncate': lambda: os.truncate(path, 0),
    'readlink': lambda: os.readlink(path),
    'getxattr': lambda: os.getxattr(path, 'user.x'),
    'listing': lambda: name in os.listdir(where) or os.lstat(path),
}


def try_all():
    os.close(os.open(other, os.O_WRONLY | os.O_CREAT, 0o600))
    for what, call in CALLS.items():
        try:
            call()
            result = 'done'
        except OSError as error:
            result = errno.errorcode[error.errno]
        print(f'{what:26} {result}')
    os.unlink(other)


def watch(stop):
    looks = seen = wrong = 0
    while not os.path.exists(stop):
        for _ in range(100):
            looks += 1
            try:
                os.lstat(path)
                seen += 1
            except FileNotFoundError:
                pass
            except OSError:
                wrong += 1
        try:
            seen += name in os.listdir(where)
        except OSError:
            wrong += 1
    print(looks, seen, wrong)


if len(sys.argv) > 3:
    watch(sys.argv[3])
else:
    try_all()
