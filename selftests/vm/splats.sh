# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What counts as a complaint of the guest's kernel. Sourced, never run.

SPLATS='BUG:|WARNING:|Oops:|kernel BUG at|KASAN|UBSAN|KCSAN|general protection fault
|Kernel panic|unable to handle|Unable to handle|refcount_t:|list_(add|del) corruption
|INFO: (task|trying to register|suspicious|possible|inconsistent|rcu|HARDIRQ|SOFTIRQ)
|possible (circular|recursive|irq lock) |suspicious RCU usage|inconsistent lock state
|rcu.*(detected.* stalls?|self-detected stall)|soft lockup|hung task|blocked for more than
|scheduling while atomic|sleeping function called from invalid context|bad unlock balance
|held lock freed|still has locks held|lock held when returning|Busy inodes after unmount
|unreferenced object|new suspected memory leaks|Objects remaining|stack guard page|VFS_BUG
|workqueue lockup|corrupted stack|Bad page state|Bad rss-counter|leaked reference|still in use'
SPLATS=${SPLATS//$'\n'/}

# Lines that match the above and are no complaint: an extended regular expression
# each, with the reason after " # ".
BENIGN='
'

# splats LOG: print the complaints, with some lines after each; nothing
# when there are none.
splats() {
	local benign

	benign=$(sed -e '/^$/d' -e 's/ # .*//' <<<"$BENIGN")
	cat "$1" 2>/dev/null | tr -d '\r' | grep -vE "${benign:-^\$NONE}" |
		grep -E -A 40 "$SPLATS" | head -n 200 || :
}
