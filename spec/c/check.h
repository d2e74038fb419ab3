/* What the programs of the specs share: they end with the line and the library's text where a check
 * fails. */
#ifndef CUSP_SPEC_C_CHECK_H
#define CUSP_SPEC_C_CHECK_H

#include <cusp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      printf("%s:%d: %s; %s\n", __FILE__, __LINE__, #condition, cusp_last_error()); \
      exit(1);                                                                      \
    }                                                                               \
  } while (0)

/* A call that works. */
#define OK(call) CHECK((call) == CUSP_SUCCESS)

/* A call that fails with such a result, and a text that has these words. */
#define FAILS(result, words, call)                     \
  do {                                                 \
    CHECK((call) == (result));                         \
    CHECK(strstr(cusp_last_error(), (words)) != NULL); \
  } while (0)

#endif
