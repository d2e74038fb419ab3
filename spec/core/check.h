#ifndef CUSP_SPEC_CHECK_H
#define CUSP_SPEC_CHECK_H
/* Checks for C tests: a program calls its tests from main and returns check_summary(). */

#include "base/status.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int check_passed, check_failed;

static inline void check_report(bool ok, const char *file, int line, const char *what) {
  check_passed += ok;
  check_failed += !ok;
  if (!ok)
    fprintf(stderr, "%s:%d: FAILED %s (last message: %s)\n", file, line, what,
            cusp_error_message());
}

/** The condition holds. */
#define CHECK(condition) check_report((condition), __FILE__, __LINE__, #condition)
/** The call succeeds. */
#define CHECK_OK(call) check_report((call) == CUSP_OK, __FILE__, __LINE__, #call)
/** The call fails with `status` and a message that contains `text`. */
#define CHECK_FAILS(status, text, call)                                                      \
  check_report((call) == (status) && strstr(cusp_error_message(), (text)) != NULL, __FILE__, \
               __LINE__, #call)
/** Two numbers differ by at most `tolerance`, or are both NaN. */
#define CHECK_NEAR(a, b, tolerance) \
  check_report(check_near((a), (b), (tolerance)), __FILE__, __LINE__, #a " is near " #b)

static inline bool check_near(double a, double b, double tolerance) {
  return (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= tolerance;
}

/** Prints "N passed, N failed"; the program's exit code. */
static inline int check_summary(void) {
  printf("%d passed, %d failed\n", check_passed, check_failed);
  return check_failed > 0;
}

#endif
