// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands that go on until they are told to stop, and then end as if they were done.
 */
#include <signal.h>
#include <stddef.h>

#include "main.h"

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int signal)
{
	(void)signal;
	stop_asked = 1;
}

/* stop_on_signals - SIGINT, SIGTERM and SIGHUP end what waits, and stopped() says so */
void stop_on_signals(void)
{
	const struct sigaction action = { .sa_handler = ask_to_stop };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* What nohup(1) started goes on when the terminal is gone */
	if (signal(SIGHUP, SIG_IGN) != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
}

bool stopped(void)
{
	return stop_asked;
}

/* check_stopped - DONE, or FAILED after reporting that what is not yet in force is not to be */
int check_stopped(void)
{
	if (!stopped())
		return DONE;
	reason_clear();
	p_err(0, "interrupted, and nothing was changed");
	return FAILED;
}
