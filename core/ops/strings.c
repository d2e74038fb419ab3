/* Strings as integers: look-ups in vocabularies, hashes, texts as the indices of their tokens. The
 * layers of text and categories are made of these rows. */
#include "../node/build.h"
#include "../node/infer.h"

#include "../kernels/lookup.h"

/* ------------------------------------------------------------------ types */

static cusp_status expect_dtype(const cusp_inference *inference, int input, const char *name,
                                cusp_dtype dtype) {
  if (inference->inputs[input].dtype == dtype)
    return CUSP_OK;
  return cusp_infer_fail(inference, CUSP_EDTYPE, "%s must be %s, got %s", name,
                         cusp_dtype_name(dtype), cusp_dtype_name(inference->inputs[input].dtype));
}

static bool is_power_of_two(int64_t n) { return n > 0 && (n & (n - 1)) == 0; }

static cusp_status infer_lookup_table(cusp_inference *inference) {
  const cusp_type *tokens = &inference->inputs[0];
  int64_t capacity = 8;
  CUSP_TRY(expect_dtype(inference, 0, "tokens", CUSP_STRING));
  if (tokens->shape.ndim != 1)
    return cusp_infer_fail(inference, CUSP_ESHAPE, "tokens must be a vector, got shape %s",
                           cusp_shape_text(&tokens->shape));
  while (capacity < 2 * tokens->shape.size[0])
    capacity *= 2;
  cusp_shape shape = {.ndim = 1, .size = {capacity}};
  inference->n_outputs = 2;
  inference->outputs[0] = (cusp_type){CUSP_STRING, shape};
  inference->outputs[1] = (cusp_type){CUSP_INT64, shape};
  return CUSP_OK;
}

static cusp_status check_table(const cusp_inference *inference) {
  const cusp_shape *slots = &inference->inputs[1].shape;
  CUSP_TRY(expect_dtype(inference, 0, "x", CUSP_STRING));
  CUSP_TRY(expect_dtype(inference, 1, "slots", CUSP_STRING));
  if (slots->ndim != 1 || !is_power_of_two(slots->size[0]))
    return cusp_infer_fail(inference, CUSP_ESHAPE, "slots and indices come from lookup_table");
  return cusp_infer_expect(inference, 2, "indices", CUSP_INT64, *slots);
}

static cusp_status infer_lookup(cusp_inference *inference) {
  CUSP_TRY(check_table(inference));
  inference->outputs[0] = (cusp_type){CUSP_INT64, inference->inputs[0].shape};
  return CUSP_OK;
}

static cusp_status check_bins(const cusp_inference *inference) {
  if (inference->attrs[0].integer >= 1)
    return CUSP_OK;
  return cusp_infer_fail(inference, CUSP_EVALUE, "bins must be at least 1, got %lld",
                         (long long)inference->attrs[0].integer);
}

static cusp_status infer_hash_strings(cusp_inference *inference) {
  CUSP_TRY(check_bins(inference));
  if (inference->inputs[0].dtype != CUSP_INT64)
    CUSP_TRY(expect_dtype(inference, 0, "x", CUSP_STRING));
  const cusp_attr *key = &inference->attrs[1];
  if (key->kind == CUSP_ATTR_INTS && key->count != 2)
    return cusp_infer_fail(inference, CUSP_EVALUE, "a key has two integers, got %d", key->count);
  inference->outputs[0] = (cusp_type){CUSP_INT64, inference->inputs[0].shape};
  return CUSP_OK;
}

static cusp_status infer_cross_hashes(cusp_inference *inference) {
  CUSP_TRY(check_bins(inference));
  for (int i = 0; i < inference->n_inputs; i++) {
    if (inference->inputs[i].dtype != CUSP_INT64)
      CUSP_TRY(expect_dtype(inference, i, "a feature", CUSP_STRING));
    if (!cusp_shape_equal(&inference->inputs[i].shape, &inference->inputs[0].shape))
      return cusp_infer_fail(inference, CUSP_ESHAPE,
                             "features should have one shape, got %s and %s",
                             cusp_shape_text(&inference->inputs[0].shape),
                             cusp_shape_text(&inference->inputs[i].shape));
  }
  inference->outputs[0] = (cusp_type){CUSP_INT64, inference->inputs[0].shape};
  return CUSP_OK;
}

/* Each text is a row; where texts are not split, each entry along the first axis is. */
static cusp_status infer_rows_with(cusp_inference *inference, int ngrams) {
  const cusp_shape *x = &inference->inputs[0].shape;
  cusp_text_steps steps;
  CUSP_TRY(expect_dtype(inference, 0, "texts", CUSP_STRING));
  CUSP_TRY(cusp_text_steps_read(&steps, inference->attrs, &inference->attrs[ngrams]));
  int64_t rows = steps.split == CUSP_SPLIT_NONE && x->ndim > 0 ? x->size[0] : cusp_shape_count(x);
  inference->outputs[0] = (cusp_type){CUSP_INT64, {.ndim = 1, .size = {rows}}};
  return CUSP_OK;
}

static cusp_status infer_count_tokens(cusp_inference *inference) {
  return infer_rows_with(inference, 2);
}

static cusp_status infer_vectorize_text(cusp_inference *inference) {
  int64_t width = inference->attrs[3].integer;
  CUSP_TRY(check_table(inference));
  CUSP_TRY(infer_rows_with(inference, 7));
  if (width < 0)
    return cusp_infer_fail(inference, CUSP_EVALUE, "width must be at least 0, got %lld",
                           (long long)width);
  inference->outputs[0].shape.ndim = 2;
  inference->outputs[0].shape.size[1] = width;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ rows */

#define ROW(row, inference)                                                            \
  .flags = CUSP_OP_HIDDEN | CUSP_OP_NO_GRADIENT | CUSP_OP_STRINGS, .infer = inference, \
  .kernels = cusp_##row##_kernels
#define STEPS "standardize: string, split: string"
#define NGRAMS "ngrams: int_or_ints = nil"
#define PLACES "start: int, unknown: int, empty: int"

const cusp_op cusp_ops_strings[] = {
    {.name = "lookup_table",
     .arguments = "tokens",
     .help = "A vocabulary as a table for look-ups: its slots, and the places of their tokens.",
     ROW(lookup_table, infer_lookup_table)},
    {.name = "lookup",
     .arguments = "x, slots, indices, " PLACES,
     .help = "The places of strings in a vocabulary, from start on.",
     ROW(lookup, infer_lookup)},
    {.name = "hash_strings",
     .arguments = "x, bins: int, key: ints = nil",
     .help = "The bins of strings, or of integers as decimal text, by a hash function.",
     ROW(hash_strings, infer_hash_strings)},
    {.name = "cross_hashes",
     .arguments = "features..., bins: int",
     .help = "The bins of combinations of strings and integers.",
     ROW(cross_hashes, infer_cross_hashes)},
    {.name = "count_tokens",
     .arguments = "texts, " STEPS ", " NGRAMS,
     .help = "How many tokens each text has.",
     ROW(count_tokens, infer_count_tokens)},
    {.name = "vectorize_text",
     .arguments = "texts, slots, indices, " STEPS ", mode: string, width: int, " PLACES ", " NGRAMS,
     .help = "Texts as the places of their tokens in a vocabulary, or as how often each occurs.",
     ROW(vectorize_text, infer_vectorize_text)},
    {0},
};
