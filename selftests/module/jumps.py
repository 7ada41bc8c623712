#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""jumps.py [--taken] OBJECT: what the code of an object runs while no filter is attached.

While no filter is attached anywhere, a jump label is a no-op and what it leads to is
never reached. This follows the machine code of a relocatable object from all that can
be called from outside, past each jump label of fuse_filter_key as past a no-op, and
says which functions are asked for a verdict all the same, and how many labels there
are in each function. It ends with 1 if there is one that is, or no label at all.
"""
import bisect
import collections
import re
import subprocess
import sys

KEY = 'fuse_filter_key'
# Where filters are asked, and requests and attributes are taken apart for them
ASKS = ('__fuse_filter_pre', '__fuse_filter_sees', '__fuse_filter_revalidate',
        'fuse_filter_send', 'fuse_filter_tell_bg')


def output(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout


class Object:
    def __init__(self, path):
        self.sections = dict(re.findall(r'^\s*\[\s*(\d+)\] (\S+)', output('readelf', '-SW', path),
                                        re.M))
        self.starts = collections.defaultdict(list)  # section: [(address, function)]
        self.where = {}  # function: (section, address)
        self.read_symbols(path)
        self.relocs = collections.defaultdict(dict)  # section: {offset: (symbol, addend)}
        self.read_relocs(path)
        self.labels = self.read_labels()
        self.code = collections.defaultdict(dict)  # section: {address: (op, operands, next)}
        self.read_code(path)

    def read_symbols(self, path):
        for line in output('readelf', '-sW', path).splitlines():
            f = line.split()
            if len(f) == 8 and f[3] == 'FUNC' and f[6] in self.sections:
                place = (self.sections[f[6]], int(f[1], 16))
                self.where[f[7]] = place
                self.starts[place[0]].append((place[1], f[7]))
        for starts in self.starts.values():
            starts.sort()

    def read_relocs(self, path):
        section = None
        for line in output('readelf', '-rW', path).splitlines():
            m = re.match(r"Relocation section '\.rela(\S+)'", line)
            if m:
                section = m[1]
            m = re.match(r'([0-9a-f]{8,})\s+\S+\s+(R_X86_64_\S+)\s+\S+\s+(\S+)(?: ([+-]) (\S+))?', line)
            if m:
                addend = int(m[5] or '0', 16) * (-1 if m[4] == '-' else 1)
                self.relocs[section][int(m[1], 16)] = (m[3], addend, m[2])

    def read_labels(self):
        """Labels of the key: by section, the address and where it leads to."""
        labels = collections.defaultdict(dict)
        table = self.relocs['__jump_table']
        for offset, (symbol, addend, _) in table.items():
            # An entry is the code, the target and the key: 4, 4 and 8 bytes
            if offset % 16 == 8 and symbol == KEY:
                section, at = table[offset - 8][:2]
                labels[section][at] = table[offset - 4][:2]
        return labels

    def read_code(self, path):
        section, last = None, None
        for line in output('objdump', '-d', '--no-show-raw-insn', path).splitlines():
            m = re.match(r'Disassembly of section (\S+):', line)
            if m:
                section, last = m[1], None
            m = re.match(r'\s+([0-9a-f]+):\s+(?:(?:notrack|bnd|lock|rep\w*|[cdefgs]s) )*(\S+)\s*(.*)', line)
            if m:
                at = int(m[1], 16)
                if last is not None:
                    self.code[section][last][2] = at
                self.code[section][at] = [m[2], m[3], None]
                last = at

    def function_at(self, section, at):
        starts = self.starts[section]
        i = bisect.bisect_right(starts, (at, '\x7f')) - 1
        return starts[i][1] if i >= 0 else None

    def named(self, section, at, end):
        """Functions and places that the bytes from at to end refer to."""
        for offset in range(at, end):
            if offset not in self.relocs[section]:
                continue
            symbol, addend, kind = self.relocs[section][offset]
            # Relative to the end of the instruction
            pc = end - offset if kind.endswith(('PC32', 'PLT32')) else 0
            if symbol in self.where:
                yield self.where[symbol]
            elif symbol in self.starts:
                yield symbol, addend + pc
            elif not symbol.startswith('.'):
                yield symbol, None

    def roots(self):
        """What tables in the data lead to, as the VFS finds it."""
        for section, relocs in self.relocs.items():
            if not re.match(r'\.(data|rodata|init\.data|exit|init\.text)', section):
                continue
            for symbol, addend, _ in relocs.values():
                if symbol in self.where:
                    yield self.where[symbol]
                elif symbol in self.starts:
                    yield symbol, addend

    def reached(self, taken):
        """Names of all functions that run while the labels are no-ops, or are not."""
        todo, seen, names = list(self.roots()), set(), set()
        while todo:
            section, at = todo.pop()
            if at is None:
                names.add(section)
                continue
            if (section, at) in seen or at not in self.code[section]:
                continue
            seen.add((section, at))
            names.add(self.function_at(section, at))
            op, operands, after = self.code[section][at]
            if at in self.labels[section]:
                todo.append(self.labels[section][at] if taken else (section, after))
                continue
            named = list(self.named(section, at, after or at + 16))
            todo += named
            target = re.match(r'([0-9a-f]+)\b', operands)
            if op.startswith('j') and target and not named:
                todo.append((section, int(target[1], 16)))
            if op.startswith(('jmp', 'ret', 'ud2')) or not after:
                continue
            # A call that does not return may be the last of a function
            if self.function_at(section, after) == self.function_at(section, at):
                todo.append((section, after))
        return names


def main():
    obj = Object(sys.argv[-1])
    count = collections.Counter(obj.function_at(section, at)
                                for section, all_at in obj.labels.items() for at in all_at)
    reached = obj.reached('--taken' in sys.argv)
    for function, labels in sorted(count.items()):
        print(f'# {function}: {labels}')
    bad = [name for name in ASKS if name in reached]
    for name in bad:
        print(f'# {name} is reached')
    missing = [name for name in ASKS if name not in obj.where]
    for name in missing:
        print(f'# there is no {name}')
    print(f'# {len(reached)} functions are reached, {sum(count.values())} labels in '
          f'{len(count)} of them')
    sys.exit(bool(bad or missing or not count or len(reached) < 200))


if __name__ == '__main__':
    main()
