#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""grow.py DIR FILES: a tree of FILES files, like that of a project with its packages.

Prints how many directories it made, and the paths of the secrets among the files,
which say planted-secret.
"""
import os
import sys

IN_DIR, DIRS_IN_PACKAGE, SECRET_EVERY = 50, 20, 2000
NAMES = ['.env', 'server.pem', 'id_rsa', '.npmrc', 'credentials.json', 'prod.tfvars']
WORKERS = 2


def grow_dir(path, first, count):
    os.mkdir(path)
    where = os.open(path, os.O_RDONLY)
    for number in range(first, first + count):
        if number % SECRET_EVERY:
            os.mknod(f'module-{number}.js', 0o644, dir_fd=where)
        else:
            with open(os.path.join(path, NAMES[number // SECRET_EVERY % len(NAMES)]), 'w') as file:
                print('planted-secret', number, file=file)
    os.close(where)


def grow(top, dirs, count):
    for number in dirs:
        if number % DIRS_IN_PACKAGE == 0:
            os.makedirs(f'{top}/package-{number // DIRS_IN_PACKAGE}', exist_ok=True)
        first = number * IN_DIR
        grow_dir(f'{top}/package-{number // DIRS_IN_PACKAGE}/{number % DIRS_IN_PACKAGE}',
                 first, min(IN_DIR, count - first))


def main():
    top, count = sys.argv[1], int(sys.argv[2])
    dirs = -(-count // IN_DIR)
    packages = -(-dirs // DIRS_IN_PACKAGE)
    # Whole packages for each worker, so that none needs a directory of another's
    share = -(-packages // WORKERS) * DIRS_IN_PACKAGE
    children = []
    for start in range(0, dirs, share):
        child = os.fork()
        if not child:
            grow(top, range(start, min(start + share, dirs)), count)
            os._exit(0)
        children.append(child)
    bad = [child for child in children if os.waitpid(child, 0)[1]]
    if bad:
        sys.exit('a worker failed')
    print(dirs + packages)
    for number in range(0, count, SECRET_EVERY):
        at = number // IN_DIR
        print(f'package-{at // DIRS_IN_PACKAGE}/{at % DIRS_IN_PACKAGE}/'
              f'{NAMES[number // SECRET_EVERY % len(NAMES)]}')


main()
