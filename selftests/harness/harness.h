/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every test includes: kselftest_harness.h, and helpers that do not depend
 * on what is tested.
 *
 * Functions return 0, a positive value or a negative errno unless said
 * otherwise, so that a test reads EXPECT_EQ(-EROFS, ...). Where an errno says too
 * little, they explain themselves on the standard error output.
 */
#ifndef _HARNESS_H
#define _HARNESS_H

#include "util.h"
#include <kselftest_harness.h>

/*
 * A guest on a busy host is slow, and the debug kernel very much so. Evaluated
 * when tests are registered, for which TEST_F() is needed: TEST() wants a
 * constant.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT test_time_limit()

#endif /* _HARNESS_H */
