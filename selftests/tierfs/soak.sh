#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh SECONDS: uploads of tierfs for that long, with the daemon killed at every step that
# there is and at many random times. Exit status 1 if a test failed.
set -u

end=$((SECONDS + $1))
rounds=0 status=0
while [ $SECONDS -lt $end ]; do
	KILL_AT=$(seq -s ' ' 30) ROUNDS=20 selftests/tierfs/upload_test.sh || status=1
	rounds=$((rounds + 1))
done
echo "# $rounds rounds, each with 50 daemons killed"
exit $status
