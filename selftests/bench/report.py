#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make tables and a plot of what bench.py measured.

    report.py FILE.json             tables on standard output, FILE.png beside it
    report.py --compare A.json B.json   what B costs, by A

Figures are medians over the repetitions, as ratios to the first column (native), or to
"backed" for the filters; after them the spread, half the distance between quartiles in
per cent, where it is above 10.
"""
import json
import math
import statistics
import subprocess
import sys

METADATA = ["stat", "stat_cold", "stat_missing", "open_close", "open_read_close", "create", "unlink",
            "mkdir_rmdir", "rename", "chmod", "getxattr", "readdir", "ls_l"]
DATA = ["read_4k", "read_64k", "write_4k", "write_64k", "read_4k_direct", "write_4k_direct",
        "mmap_fault"]
FILTERS = ["noop", "uid_map", "rules_40", "rules_10000", "percent"]
NOTED_SPREAD = 10


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def spread(samples):
    """Half the distance between the quartiles, in per cent of the median."""
    if len(samples) < 4:
        return 0
    low, middle, high = statistics.quantiles(samples, n=4)
    return 50 * (high - low) / middle


def cell(samples, base):
    text = f"{statistics.median(samples) / statistics.median(base):.2f}"
    noise = spread(samples)
    return f"{text} ±{noise:.0f}%" if noise > NOTED_SPREAD else text


def requests_cell(count):
    return "" if not count else f"{count:.2f}"


def geomean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def mean_row(rows, samples, column, base):
    found = [statistics.median(samples[row][column]) / statistics.median(samples[row][base])
             for row in rows if row in samples]
    return f"{geomean(found):.2f}" if found else ""


def table(head, lines):
    """A table that is Markdown and can be read as it is."""
    rows = [head] + lines
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    text = [" | ".join(part.ljust(width) if i == 0 else part.rjust(width)
                       for i, (part, width) in enumerate(zip(row, widths))) for row in rows]
    text.insert(1, "-|-".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" if i != 1 else f"|-{line}-|" for i, line in enumerate(text))


def ratios(samples, columns, base):
    lines = [[row] + [cell(cells[column], cells[base]) for column in columns]
             for row, cells in samples.items()]
    for title, rows in (("metadata, geometric mean", METADATA), ("data, geometric mean", DATA)):
        if any(row in samples for row in rows):
            lines.append([title] + [mean_row(rows, samples, column, base) for column in columns])
    return table([f"time / {base}"] + columns, lines)


def requests_table(requests, columns):
    columns = [c for c in columns if any(cells.get(c) for cells in requests.values())]
    if not columns:
        return "No column made a FUSE request."
    lines = [[row] + [requests_cell(cells.get(c, 0)) for c in columns]
             for row, cells in requests.items()]
    return table(["requests / operation"] + columns, lines)


def split(row):
    """Name of the operation, with the size of the directory, and number of workers."""
    name, _, workers = row.partition("*")
    return name, int(workers or 1)


def speedup_table(samples, columns):
    """What many workers get done in the time in which one does one operation."""
    lines = []
    for row, cells in samples.items():
        name, workers = split(row)
        if workers > 1:
            lines.append([row] + [
                f"{statistics.median(samples[name + '*1'][c]) / statistics.median(cells[c]):.2f}"
                for c in columns])
    return table(["operations in the time of one"] + columns, lines)


def contended_table(contended, columns):
    lines = [[row] + [f"{1000 * cells[c]:.1f}" for c in columns]
             for row, cells in contended.items()]
    return table(["contended locks / 1,000 operations"] + columns, lines)


# What is in the plot, beside the line of native: daemons are red, filters green
COLOURS = {"overlayfs": "#606060", "bindfs": "#fdd0a2", "fuse": "#fdae6b", "fuse_fresh": "#f16913",
           "fuse_pass": "#a63603", "fuse_ours": "#fee391", "backed": "#08519c", "noop": "#00441b",
           "uid_map": "#238b45", "rules_40": "#66c2a4", "rules_10000": "#b2e2b2",
           "percent": "#c994c7"}


def plot_data(path, samples, rows, columns, base):
    lines = []
    for row in rows:
        native = statistics.median(samples[row][base])
        lines.append(row + " " + " ".join(
            f"{statistics.median(samples[row][c]) / native:.4f}" for c in columns))
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


def panel(path, columns, width):
    bars = ", ".join(f'"{path}" using {i + 2}:xtic(1) title "{c}" linecolor rgb "{COLOURS[c]}"'
                     for i, c in enumerate(columns))
    return f"set xrange [-0.6:{width - 0.4}]; plot {bars}, 1 notitle linecolor rgb 'black'; "


def plot(path, samples, columns):
    """A picture: metadata above, the rest but fio below; a group of bars for each row."""
    shown = [c for c in columns if c in COLOURS]
    parts = [[row for row in METADATA if row in samples],
             [row for row in samples if row not in METADATA and not row.startswith("fio_")]]
    parts = [rows for rows in parts if rows]
    script = (f'set terminal pngcairo size 1800,{600 * len(parts)} font ",13"; '
              f'set output "{path}.png"; set multiplot layout {len(parts)},1; '
              'set logscale y; set yrange [0.7:*]; set grid y; set tics nomirror; '
              'set ytics (1, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500); set bmargin 6; '
              'set style data histograms; set style histogram clustered gap 3; '
              'set style fill solid noborder; set boxwidth 0.95 relative; '
              f'set ylabel "{columns[0]} = 1"; set xtics rotate by -25 noenhanced; '
              'set key outside right noenhanced; ')
    for i, rows in enumerate(parts):
        data = f"{path}.{i}.dat"
        plot_data(data, samples, rows, shown, columns[0])
        script += panel(data, shown, len(rows))
    subprocess.run(["gnuplot", "-e", script], check=True)


def report(path):
    data = load(path)
    columns = data["columns"]
    filters = [c for c in ["backed"] + FILTERS if c in columns]
    print(" ".join(f"{key}={value}" for key, value in data["machine"].items()))
    for kind, samples in data["samples"].items():
        print(f"\n## {kind}\n\n{ratios(samples, columns, columns[0])}")
        if len(filters) > 1:
            print(f"\n{ratios(samples, filters, 'backed')}")
        print(f"\n{requests_table(data['requests'][kind], columns)}")
        if kind in data.get("contended", {}):
            print(f"\n{speedup_table(samples, columns)}")
            print(f"\n{contended_table(data['contended'][kind], columns)}")
        if any(column in COLOURS for column in columns):
            plot(f"{path.removesuffix('.json')}-{kind}", samples, columns)


def compare(first, second):
    """What each operation costs in the second run, as a ratio to the first."""
    a, b = load(first), load(second)
    columns = [c for c in a["columns"] if c in b["columns"]]
    for kind, samples in a["samples"].items():
        lines = []
        for row, cells in samples.items():
            other = b["samples"][kind][row]
            lines.append([row] + [f"{statistics.median(other[c]) / statistics.median(cells[c]):.3f}"
                                  for c in columns])
        print(f"\n## {kind}\n\n{table(['time of B / A'] + columns, lines)}")


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--compare":
        compare(sys.argv[2], sys.argv[3])
    elif len(sys.argv) == 2:
        report(sys.argv[1])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
