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

/* stop_on_signals - SIGINT and SIGTERM end what waits, and stopped() says so */
void stop_on_signals(void)
{
	const struct sigaction action = { .sa_handler = ask_to_stop };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool stopped(void)
{
	return stop_asked;
}
