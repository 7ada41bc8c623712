#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
# twice.py FILE DIR: read an open file before and after somebody has made DIR/go, and say
# each time whether the location was in it.
import os
import sys
import time

fd = os.open(sys.argv[1], os.O_RDONLY)


def look():
    return "shown" if b"48 12.3456" in os.pread(fd, 4096, 0) else "hidden"


first = look()
open(sys.argv[2] + "/read", "w").close()
while not os.path.exists(sys.argv[2] + "/go"):
    time.sleep(0.05)
print(first, look())
