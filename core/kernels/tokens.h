#ifndef CUSP_KERNELS_TOKENS_H
#define CUSP_KERNELS_TOKENS_H
/* Texts as lists of tokens: standardized, split and joined to n-grams. */

#include "../base/status.h"
#include "../tensor/strings.h"

typedef enum cusp_text_split {
  CUSP_SPLIT_NONE,       /* each text is a token */
  CUSP_SPLIT_WHITESPACE, /* ASCII's */
  CUSP_SPLIT_CHARACTER   /* of UTF-8; bytes that are none become U+FFFD */
} cusp_text_split;

typedef struct cusp_text_steps {
  bool lower, strip; /* ASCII letters lowered, ASCII punctuation dropped */
  cusp_text_split split;
  const int64_t *ngrams; /* widths, or with `up_to` the largest of 1, 2, ...; NULL: tokens alone */
  int n_ngrams;
  bool up_to;
} cusp_text_steps;

/** Reads "lower_and_strip_punctuation", "lower", "strip_punctuation" or "". */
CUSP_NODISCARD cusp_status cusp_text_steps_standardize(cusp_text_steps *steps, const char *how);
/** Reads "whitespace", "character" or "". */
CUSP_NODISCARD cusp_status cusp_text_steps_split(cusp_text_steps *steps, const char *how);

typedef struct cusp_tokens {
  cusp_text_view *list; /* point into `text`, or to constants */
  size_t count, capacity;
  char *text, *joined; /* the standardized texts; the n-gram that was visited last */
  size_t used, text_capacity;
} cusp_tokens;

/** Makes room for texts of so many bytes together, and forgets those that are there. */
CUSP_NODISCARD cusp_status cusp_tokens_reserve(cusp_tokens *tokens, size_t texts, size_t bytes);
/** Appends a text's tokens; room was reserved. */
void cusp_tokens_add(cusp_tokens *tokens, const cusp_text_steps *steps, cusp_text_view text);
void cusp_tokens_free(cusp_tokens *tokens);

/** How many n-grams there are. */
size_t cusp_tokens_count(const cusp_tokens *tokens, const cusp_text_steps *steps);
/** Calls `visit` for one n-gram after another until it says false. */
void cusp_tokens_visit(cusp_tokens *tokens, const cusp_text_steps *steps,
                       bool (*visit)(void *context, cusp_text_view token), void *context);

#endif
