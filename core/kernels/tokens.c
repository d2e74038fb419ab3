/* Texts as lists of tokens (see tokens.h). */
#include "tokens.h"

#include "../base/memory.h"

#include <string.h>

/* ------------------------------------------------------------------ steps by name */

cusp_status cusp_text_steps_standardize(cusp_text_steps *steps, const char *how) {
  bool both = strcmp(how, "lower_and_strip_punctuation") == 0;
  steps->lower = both || strcmp(how, "lower") == 0;
  steps->strip = both || strcmp(how, "strip_punctuation") == 0;
  if (steps->lower || steps->strip || *how == '\0')
    return CUSP_OK;
  return cusp_fail(CUSP_EVALUE, "unknown way to standardize '%.40s'", how);
}

cusp_status cusp_text_steps_split(cusp_text_steps *steps, const char *how) {
  steps->split = strcmp(how, "whitespace") == 0  ? CUSP_SPLIT_WHITESPACE
                 : strcmp(how, "character") == 0 ? CUSP_SPLIT_CHARACTER
                                                 : CUSP_SPLIT_NONE;
  if (steps->split != CUSP_SPLIT_NONE || *how == '\0')
    return CUSP_OK;
  return cusp_fail(CUSP_EVALUE, "unknown way to split '%.40s'", how);
}

/* ------------------------------------------------------------------ room */

cusp_status cusp_tokens_reserve(cusp_tokens *tokens, size_t texts, size_t bytes) {
  size_t list, count = texts + bytes;
  tokens->count = tokens->used = 0;
  if (count > tokens->capacity) {
    cusp_free(tokens->list);
    tokens->list = NULL;
    tokens->capacity = 0;
    CUSP_TRY(cusp_multiply_size(&list, count, sizeof *tokens->list));
    CUSP_TRY(cusp_alloc((void **)&tokens->list, list));
    tokens->capacity = count;
  }
  if (bytes <= tokens->text_capacity && tokens->text)
    return CUSP_OK;
  cusp_free(tokens->text);
  cusp_free(tokens->joined);
  tokens->text = tokens->joined = NULL;
  tokens->text_capacity = 0;
  /* an n-gram has a blank behind each token, and a replaced byte takes three */
  CUSP_TRY(cusp_multiply_size(&list, bytes + texts, 4));
  CUSP_TRY(cusp_alloc((void **)&tokens->text, bytes));
  CUSP_TRY(cusp_alloc((void **)&tokens->joined, list));
  tokens->text_capacity = bytes;
  return CUSP_OK;
}

void cusp_tokens_free(cusp_tokens *tokens) {
  cusp_free(tokens->list);
  cusp_free(tokens->text);
  cusp_free(tokens->joined);
  *tokens = (cusp_tokens){0};
}

/* ------------------------------------------------------------------ splitting */

static bool is_punctuation(unsigned char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

static bool is_blank(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Copies the text behind what is there. */
static cusp_text_view standardize(cusp_tokens *tokens, const cusp_text_steps *steps,
                                  cusp_text_view text) {
  if (!steps->lower && !steps->strip)
    return text;
  char *start = tokens->text + tokens->used, *to = start;
  for (size_t i = 0; i < text.length; i++) {
    unsigned char c = (unsigned char)text.bytes[i];
    if (steps->lower && c >= 'A' && c <= 'Z')
      c += 'a' - 'A';
    if (!steps->strip || !is_punctuation(c))
      *to++ = (char)c;
  }
  tokens->used += (size_t)(to - start);
  return (cusp_text_view){start, (size_t)(to - start)};
}

static void append(cusp_tokens *tokens, const char *bytes, size_t length) {
  tokens->list[tokens->count++] = (cusp_text_view){bytes, length};
}

static void split_at_blanks(cusp_tokens *tokens, cusp_text_view text) {
  for (size_t i = 0; i < text.length;) {
    size_t start = i;
    while (i < text.length && !is_blank((unsigned char)text.bytes[i]))
      i++;
    if (i > start)
      append(tokens, text.bytes + start, i - start);
    i += i < text.length;
  }
}

/* The bytes of the character that starts there; 0 where none does. */
static size_t character_length(const unsigned char *c, size_t left) {
  size_t length = *c < 0x80 ? 1 : *c < 0xc2 ? 0 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : *c < 0xf5 ? 4 : 0;
  if (length > left)
    return 0;
  for (size_t i = 1; i < length; i++)
    if (c[i] >> 6 != 2)
      return 0;
  bool overlong = (*c == 0xe0 && c[1] < 0xa0) || (*c == 0xf0 && c[1] < 0x90),
       beyond = (*c == 0xed && c[1] >= 0xa0) || (*c == 0xf4 && c[1] >= 0x90);
  return overlong || beyond ? 0 : length;
}

static void split_characters(cusp_tokens *tokens, cusp_text_view text) {
  for (size_t i = 0; i < text.length;) {
    size_t length = character_length((const unsigned char *)text.bytes + i, text.length - i);
    if (length)
      append(tokens, text.bytes + i, length);
    else
      append(tokens, "\xef\xbf\xbd", 3);
    i += length ? length : 1;
  }
}

void cusp_tokens_add(cusp_tokens *tokens, const cusp_text_steps *steps, cusp_text_view text) {
  text = standardize(tokens, steps, text);
  switch (steps->split) {
  case CUSP_SPLIT_WHITESPACE: split_at_blanks(tokens, text); break;
  case CUSP_SPLIT_CHARACTER: split_characters(tokens, text); break;
  default: append(tokens, text.bytes, text.length);
  }
}

/* ------------------------------------------------------------------ n-grams */

static size_t width_count(const cusp_text_steps *steps) {
  if (!steps->ngrams)
    return 1;
  return steps->up_to ? (size_t)steps->ngrams[0] : (size_t)steps->n_ngrams;
}

static size_t width_at(const cusp_text_steps *steps, size_t i) {
  return !steps->ngrams || steps->up_to ? i + 1 : (size_t)steps->ngrams[i];
}

size_t cusp_tokens_count(const cusp_tokens *tokens, const cusp_text_steps *steps) {
  size_t count = 0;
  for (size_t i = 0; i < width_count(steps); i++) {
    size_t width = width_at(steps, i);
    if (width <= tokens->count)
      count += tokens->count - width + 1;
    else if (steps->up_to)
      break;
  }
  return count;
}

static cusp_text_view join(cusp_tokens *tokens, size_t first, size_t width) {
  if (width == 1)
    return tokens->list[first];
  char *to = tokens->joined;
  for (size_t i = first; i < first + width; i++) {
    if (i > first)
      *to++ = ' ';
    if (tokens->list[i].length)
      memcpy(to, tokens->list[i].bytes, tokens->list[i].length);
    to += tokens->list[i].length;
  }
  return (cusp_text_view){tokens->joined, (size_t)(to - tokens->joined)};
}

void cusp_tokens_visit(cusp_tokens *tokens, const cusp_text_steps *steps,
                       bool (*visit)(void *context, cusp_text_view token), void *context) {
  for (size_t i = 0; i < width_count(steps); i++) {
    size_t width = width_at(steps, i);
    if (width > tokens->count && steps->up_to)
      return;
    for (size_t first = 0; first + width <= tokens->count; first++)
      if (!visit(context, join(tokens, first, width)))
        return;
  }
}
