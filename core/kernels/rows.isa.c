/* Loops over rows that lie anywhere (see rows.h). */
#include "rows.h"

#include <string.h>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

/* ------------------------------------------------------------------ copying */

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* `bytes` is a constant wherever the compiler can make use of it. */
static ALWAYS_INLINE void copy_of(char *to, const char *from, int64_t count, const int64_t *at,
                                  int64_t bytes) {
  for (int64_t i = 0; i < count; i++)
    memcpy(to + i * bytes, from + at[i] * bytes, (size_t)bytes);
}

/* A call for each row would take most of the time where rows are short. */
static void copy(char *to, const char *from, int64_t count, const int64_t *at, int64_t bytes) {
  switch (bytes) {
  case 1: copy_of(to, from, count, at, 1); break;
  case 2: copy_of(to, from, count, at, 2); break;
  case 3: copy_of(to, from, count, at, 3); break;
  case 4: copy_of(to, from, count, at, 4); break;
  case 8: copy_of(to, from, count, at, 8); break;
  case 12: copy_of(to, from, count, at, 12); break;
  case 16: copy_of(to, from, count, at, 16); break;
  case 32: copy_of(to, from, count, at, 32); break;
  case 64: copy_of(to, from, count, at, 64); break;
  case 128: copy_of(to, from, count, at, 128); break;
  default: copy_of(to, from, count, at, bytes);
  }
}

#define EXTREMES(type)                                                                \
  static void extremes_##type(const type##_t *positions, int64_t count, int64_t *low, \
                              int64_t *high) {                                        \
    type##_t least = 0, most = -1;                                                    \
    for (int64_t i = 0; i < count; i++) {                                             \
      least = positions[i] < least ? positions[i] : least;                            \
      most = positions[i] > most ? positions[i] : most;                               \
    }                                                                                 \
    *low = least;                                                                     \
    *high = most;                                                                     \
  }
EXTREMES(int32)
EXTREMES(int64)

#define RESOLVE(type)                                                                \
  static void resolve_##type(const type##_t *positions, int64_t count, int64_t size, \
                             int64_t *at) {                                          \
    for (int64_t i = 0; i < count; i++) {                                            \
      const int64_t place = positions[i], row = place + (place < 0 ? size : 0);      \
      at[i] = row >= 0 && row < size ? row : -1;                                     \
    }                                                                                \
  }
RESOLVE(int32)
RESOLVE(int64)

#ifdef __AVX512F__
static int64_t select_rows(const int64_t *at, int64_t count, int64_t begin, int64_t end,
                           int64_t *rows, int64_t *places) {
  const __m512i first = _mm512_set1_epi64(begin), width = _mm512_set1_epi64(end - begin);
  __m512i place = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
  int64_t found = 0;
  for (int64_t i = 0; i < count; i += 8) {
    const __mmask8 lanes = count - i < 8 ? (__mmask8)((1u << (count - i)) - 1) : 0xff;
    const __m512i row = _mm512_maskz_loadu_epi64(lanes, at + i);
    const __mmask8 own = _mm512_mask_cmplt_epu64_mask(lanes, _mm512_sub_epi64(row, first), width);
    _mm512_mask_compressstoreu_epi64(rows + found, own, row);
    _mm512_mask_compressstoreu_epi64(places + found, own, place);
    found += __builtin_popcount(own);
    place = _mm512_add_epi64(place, _mm512_set1_epi64(8));
  }
  return found;
}
#else
/* Without branches: which rows are a thread's own is what a processor cannot guess. */
static int64_t select_rows(const int64_t *at, int64_t count, int64_t begin, int64_t end,
                           int64_t *rows, int64_t *places) {
  int64_t found = 0;
  for (int64_t i = 0; i < count; i++) {
    rows[found] = at[i];
    places[found] = i;
    found += at[i] >= begin && at[i] < end;
  }
  return found;
}
#endif

/* ------------------------------------------------------------------ combining */

/* Rows of one element each are a loop of their own. */
#define COMBINE(name, type, load, store, expression)                                \
  static ALWAYS_INLINE void name##_of(type *restrict to, const type *restrict from, \
                                      const cusp_row_list *list, int64_t columns) { \
    for (int64_t row = 0; row < list->count; row++) {                               \
      type *restrict out = to + list->to[row] * list->to_step;                      \
      const type *restrict in = from + list->from[row] * list->from_step;           \
      for (int64_t i = 0; i < columns; i++) {                                       \
        __auto_type a = load(out[i]);                                               \
        __auto_type b = load(in[i]);                                                \
        (void)a, (void)b;                                                           \
        out[i] = store(expression);                                                 \
      }                                                                             \
    }                                                                               \
  }                                                                                 \
  static void name(void *to, const void *from, const cusp_row_list *list) {         \
    if (list->columns == 1)                                                         \
      name##_of(to, from, list, 1);                                                 \
    else                                                                            \
      name##_of(to, from, list, list->columns);                                     \
  }

#define ITSELF(x) (x)
/* A NaN on either side stays. */
#define LARGER (a > b || a != a ? a : b)
#define SMALLER (a < b || a != a ? a : b)

/* `load` is into what sums and products are computed in, `compare` into what is compared. */
#define MODES(name, type, load, compare, store)      \
  COMBINE(set_##name, type, ITSELF, ITSELF, b)       \
  COMBINE(add_##name, type, load, store, a + b)      \
  COMBINE(max_##name, type, compare, store, LARGER)  \
  COMBINE(min_##name, type, compare, store, SMALLER) \
  COMBINE(multiply_##name, type, load, store, a *b)

#define TO_BOOL(x) ((x) != 0)
#define INTEGER(NAME, name, type, ...) MODES(name, type, (CUSP_WRAPPING(type)), ITSELF, (type))
#define HALF(NAME, name, type, ...) \
  MODES(name, type, cusp_##name##_to_float, cusp_##name##_to_float, cusp_float_to_##name)
#define REAL(NAME, name, type, ...) MODES(name, type, ITSELF, ITSELF, ITSELF)

MODES(bool, uint8_t, ITSELF, ITSELF, TO_BOOL)
CUSP_INT_DTYPES(INTEGER)
CUSP_HALF_DTYPES(HALF)
CUSP_REAL_DTYPES(REAL)

typedef float line
    __attribute__((vector_size(CUSP_ROW_LINE * sizeof(float)), aligned(4), may_alias));

static ALWAYS_INLINE void add_lines_of(float *to, const float *from, const cusp_row_list *list,
                                       int64_t columns) {
  for (int64_t row = 0; row < list->count; row++) {
    float *out = to + list->to[row] * list->to_step;
    const float *in = from + list->from[row] * list->from_step;
    for (int64_t i = 0; i < columns; i += CUSP_ROW_LINE)
      *(line *)(out + i) += *(const line *)(in + i);
  }
}

static void add_lines(void *to, const void *from, const cusp_row_list *list) {
  if (list->columns == CUSP_ROW_LINE)
    add_lines_of(to, from, list, CUSP_ROW_LINE);
  else
    add_lines_of(to, from, list, list->columns);
}

#define ROW(NAME, name, ...) \
  [CUSP_##NAME] = {set_##name, add_##name, max_##name, min_##name, multiply_##name},
const cusp_row_loops CUSP_ISA(cusp_row_loops) = {copy,          extremes_int32,    extremes_int64,
                                                 resolve_int32, resolve_int64,     select_rows,
                                                 add_lines,     {CUSP_DTYPES(ROW)}};
