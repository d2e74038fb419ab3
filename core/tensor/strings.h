#ifndef CUSP_TENSOR_STRINGS_H
#define CUSP_TENSOR_STRINGS_H
/*
 * The strings that elements of tensors stand for: each distinct one is kept once, under a number.
 * Moving, comparing and gathering strings so moves, compares and gathers numbers. Strings that no
 * tensor holds any more are dropped when many new ones have come.
 */

#include "array.h"

/** An element of a tensor of strings; 0 is the empty string, and a number of none reads as it. */
typedef uint32_t cusp_string;

/** Bytes of any values; lent, for as long as some tensor holds the string. */
typedef struct cusp_text_view {
  const char *bytes;
  size_t length;
} cusp_text_view;

/** The number of a string. Until a tensor holds it, only until the next cusp_strings_collect. */
CUSP_NODISCARD cusp_status cusp_string_make(cusp_string *out, const char *bytes, size_t length);
cusp_text_view cusp_string_view(cusp_string string);
/** A hash of the bytes, and that of a string, which is kept with it. */
uint32_t cusp_bytes_hash(const char *bytes, size_t length);
uint32_t cusp_string_hash(cusp_string string);

/** Before a storage is freed that may have been watched (see array.h). */
void cusp_strings_forget(cusp_storage *storage);

/** Drops the strings that no watched storage holds, if so many came since the last time that it is
 * worth it. Only where no string is on its way into a tensor. */
void cusp_strings_collect_some(void);
/** As above in any case. */
void cusp_strings_collect(void);

typedef struct cusp_strings_stats {
  uint64_t count, bytes; /* of strings that are kept */
} cusp_strings_stats;
cusp_strings_stats cusp_strings_get_stats(void);

#endif
