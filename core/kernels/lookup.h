#ifndef CUSP_KERNELS_LOOKUP_H
#define CUSP_KERNELS_LOOKUP_H
/*
 * Strings as integers, by a vocabulary or by a hash function. A vocabulary is a table with open
 * addressing: slots, a power of two of strings, where 0 is an empty slot, and an index beside each.
 */

#include "call.h"
#include "tokens.h"

/** lookup_table: tokens string [n] -> slots string [capacity], indices int64 [capacity]: the place
 * of each token from 0; of equal ones the first counts, and the empty string is left out. */
extern const cusp_kernel cusp_lookup_table_kernels[];
/** lookup: x string, slots, indices; (start, unknown, empty: int) -> int64 of x's shape: start plus
 * the place in the vocabulary, or one of the others; INT64_MIN as `unknown` makes it an error. */
extern const cusp_kernel cusp_lookup_kernels[];
/** hash_strings: x string or int64 (as decimal text); (bins: int, key: ints) -> int64. */
extern const cusp_kernel cusp_hash_strings_kernels[];
/** cross_hashes: strings and int64 of one shape; (bins: int) -> int64. */
extern const cusp_kernel cusp_cross_hashes_kernels[];
/** count_tokens: texts; (standardize, split: string, ngrams: ints) -> int64 [rows]. */
extern const cusp_kernel cusp_count_tokens_kernels[];
/** vectorize_text: texts, slots, indices; (standardize, split, mode: string, width, start, unknown,
 * empty: int, ngrams) -> int64 [rows, width]: indices filled up with 0, or how often each index
 * occurs ("count"), or whether ("multi_hot"). */
extern const cusp_kernel cusp_vectorize_text_kernels[];

/** The steps in the first two attributes, and n-grams: an INT stands for all widths up to it. */
CUSP_NODISCARD cusp_status cusp_text_steps_read(cusp_text_steps *steps, const cusp_attr *attrs,
                                                const cusp_attr *ngrams);

#endif
