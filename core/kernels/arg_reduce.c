/* argmax and argmin over [outer, count, inner] arrays. */

#include "arg_reduce.h"

#include "../base/threads.h"
#include "isa.h"
#include "reduce_functions.h"

typedef struct arg_reduction {
  const void *in;
  int32_t *out;
  int64_t count, inner;
  bool largest;
  cusp_reduce_rows_fn extremes; /* of lines that are short rows: see SHORT_LOOP; NULL otherwise */
  cusp_arg_rows_fn rows;        /* by registers; NULL otherwise */
  size_t row_bytes;
} arg_reduction;

#define SHORT 64 /* elements of a short row, one bit each */

/*
 * Short rows: the extremes of many at once, without branches (which line wins is what a processor
 * cannot guess), then the first place of each. Where there is NaN the extreme is NaN, and its first
 * place counts.
 */
#define SHORT_LOOP(name, type, is_nan)                                           \
  static void name##_short(void *context, int64_t begin, int64_t end) {          \
    const arg_reduction *r = context;                                            \
    type extreme[SHORT];                                                         \
    for (int64_t first = begin; first < end; first += SHORT) {                   \
      const int64_t rows = end - first < SHORT ? end - first : SHORT;            \
      const type *line = (const type *)r->in + first * r->count;                 \
      for (int64_t row = 0; row < rows; row++)                                   \
        extreme[row] = line[row * r->count];                                     \
      r->extremes(rows, r->count, line, extreme);                                \
      for (int64_t row = 0; row < rows; row++, line += r->count) {               \
        uint64_t found = 0;                                                      \
        for (int64_t k = 0; k < r->count; k++)                                   \
          found |= (uint64_t)((line[k] == extreme[row]) | is_nan(line[k])) << k; \
        r->out[first + row] = __builtin_ctzll(found);                            \
      }                                                                          \
    }                                                                            \
  }

/* Positions [begin, end) of the result; each walks one line of `count` elements that lie `inner`
 * apart. */
#define LOOP(name, type, load, is_nan)                                                            \
  static void name(void *context, int64_t begin, int64_t end) {                                   \
    const arg_reduction *r = context;                                                             \
    for (int64_t i = begin; i < end; i++) {                                                       \
      const type *line = (const type *)r->in + i / r->inner * r->count * r->inner + i % r->inner; \
      int64_t best = 0;                                                                           \
      __auto_type value = load(line[0]);                                                          \
      for (int64_t k = 1; k < r->count && !is_nan(value); k++) {                                  \
        __auto_type other = load(line[k * r->inner]);                                             \
        if ((r->largest ? other > value : other < value) || is_nan(other)) {                      \
          best = k;                                                                               \
          value = other;                                                                          \
        }                                                                                         \
      }                                                                                           \
      r->out[i] = (int32_t)best;                                                                  \
    }                                                                                             \
  }

#define ITSELF(x) (x)
#define NEVER(x) false
#define IS_NAN(x) ((x) != (x))

#define INTEGER(NAME, name, type, ...)  \
  LOOP(arg_##name, type, ITSELF, NEVER) \
  SHORT_LOOP(arg_##name, type, NEVER)
#define HALF(NAME, name, type, ...) LOOP(arg_##name, type, cusp_##name##_to_float, IS_NAN)
#define REAL(NAME, name, type, ...)      \
  LOOP(arg_##name, type, ITSELF, IS_NAN) \
  SHORT_LOOP(arg_##name, type, IS_NAN)

CUSP_INT_DTYPES(INTEGER)
CUSP_HALF_DTYPES(HALF)
CUSP_REAL_DTYPES(REAL)

#define ENTRY(NAME, name, ...) [CUSP_##NAME] = arg_##name,
static const cusp_range_fn loops[CUSP_DTYPE_COUNT] = {
    [CUSP_BOOL] = arg_uint8, CUSP_INT_DTYPES(ENTRY) CUSP_FLOAT_DTYPES(ENTRY)};

#define SHORT_ENTRY(NAME, name, ...) [CUSP_##NAME] = arg_##name##_short,
static const cusp_range_fn short_loops[CUSP_DTYPE_COUNT] = {CUSP_INT_DTYPES(SHORT_ENTRY)
                                                                CUSP_REAL_DTYPES(SHORT_ENTRY)};

CUSP_ISA_DECLARE(const cusp_arg_rows, cusp_arg_rows);

static void run_registers(void *context, int64_t begin, int64_t end) {
  const arg_reduction *r = context;
  r->rows(end - begin, r->count, r->largest, (const char *)r->in + (size_t)begin * r->row_bytes,
          r->out + begin);
}

static cusp_arg_rows_fn find_rows(const arg_reduction *r, cusp_dtype dtype) {
  const cusp_arg_rows *rows = CUSP_ISA_CHOOSE(cusp_arg_rows);
  if (r->inner != 1)
    return NULL;
  return dtype == CUSP_FLOAT32 ? rows->float32 : dtype == CUSP_BFLOAT16 ? rows->bfloat16 : NULL;
}

/** The loop for the call; rows without gaps have some of their own. */
static cusp_range_fn choose_loop(arg_reduction *r, cusp_dtype dtype) {
  r->rows = find_rows(r, dtype);
  r->row_bytes = (size_t)r->count * cusp_dtype_size(dtype);
  if (r->rows)
    return run_registers;
  if (r->inner != 1 || r->count > SHORT || !short_loops[dtype])
    return loops[dtype];
  r->extremes = cusp_reduce_find_rows(r->largest ? CUSP_REDUCE_MAX : CUSP_REDUCE_MIN, dtype);
  return short_loops[dtype];
}

static cusp_status run(cusp_call *call, bool largest) {
  const cusp_shape *shape = &call->inputs[0].shape;
  arg_reduction r = {.in = call->inputs[0].data,
                     .out = call->outputs[0].data,
                     .count = cusp_shape_count(shape),
                     .inner = 1,
                     .largest = largest};
  if (call->attrs[0].kind == CUSP_ATTR_INT) {
    int axis = (int)call->attrs[0].integer;
    r.count = shape->size[axis];
    for (int i = axis + 1; i < shape->ndim; i++)
      r.inner *= shape->size[i];
  }
  cusp_parallel_for(cusp_array_count(&call->outputs[0]), 1 + 20000 / (r.count + 1),
                    choose_loop(&r, call->inputs[0].dtype), &r);
  return CUSP_OK;
}

static cusp_status run_argmax(cusp_call *call) { return run(call, true); }
static cusp_status run_argmin(cusp_call *call) { return run(call, false); }

const cusp_kernel cusp_argmax_kernels[] = {{.name = "lines", .run = run_argmax}, {0}};
const cusp_kernel cusp_argmin_kernels[] = {{.name = "lines", .run = run_argmin}, {0}};
