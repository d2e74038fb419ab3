/* The caller's buffers: which input or output each is, and whether it fits. */
#include "internal.h"

#include <string.h>

_Static_assert(CUSP_ELEMENT_BOOL == (int)CUSP_BOOL && CUSP_ELEMENT_INT64 == (int)CUSP_INT64 &&
                   CUSP_ELEMENT_UINT64 == (int)CUSP_UINT64 &&
                   CUSP_ELEMENT_FLOAT16 == (int)CUSP_FLOAT16 &&
                   CUSP_ELEMENT_FLOAT64 == (int)CUSP_FLOAT64 &&
                   CUSP_ELEMENT_STRING == (int)CUSP_STRING,
               "the public numbers of types are the engine's");

static bool is_element(int element) { return element >= 0 && element < CUSP_DTYPE_COUNT; }

CUSP_API size_t cusp_element_size(cusp_element element) {
  if (element == CUSP_ELEMENT_STRING)
    return sizeof(const char *);
  return is_element((int)element) ? cusp_dtype_size((cusp_dtype)element) : 0;
}

static const char *name_of(int element) {
  return is_element(element) ? cusp_dtype_name((cusp_dtype)element) : "no type of elements";
}

/* ------------------------------------------------------------------ places */

static cusp_result fail_unknown(const descriptions *known, const char *name, const char *what,
                                const char *kind) {
  char names[512] = "";
  size_t length = 0;
  for (size_t i = 0; i < known->count && length < sizeof names; i++)
    length += (size_t)cusp_format(names + length, sizeof names - length, "%s'%s'", i ? ", " : "",
                                  known->list[i].name);
  return cusp_c_fail(CUSP_ERROR_NAME, "%s: there is no %s '%s'; expected %s", what, kind, name,
                     *names ? names : "NULL, since the model gives them no names");
}

/* The place of a buffer, by its name or its own. */
static cusp_result find_place(size_t *place, const char *name, size_t own,
                              const descriptions *known, const char *what, const char *kind) {
  *place = own;
  for (size_t i = 0; name && i < known->count; i++)
    if (strcmp(known->list[i].name, name) == 0) {
      *place = i;
      return CUSP_SUCCESS;
    }
  return name ? fail_unknown(known, name, what, kind) : CUSP_SUCCESS;
}

/* ------------------------------------------------------------------ shapes */

static cusp_result fail_shape(const cusp_shape *expected, const cusp_input *input, size_t place,
                              const char *what, const char *kind) {
  cusp_shape got = {.ndim = (int32_t)(input->rank < CUSP_MAX_DIMS ? input->rank : CUSP_MAX_DIMS)};
  for (int i = 0; i < got.ndim; i++)
    got.size[i] = input->shape[i];
  return cusp_c_fail(CUSP_ERROR_SHAPE, "%s: %s %zu should have shape %s (-1: any), got %s", what,
                     kind, place + 1, cusp_shape_text(expected), cusp_shape_text(&got));
}

/* The sizes that are known, the number of rows among them. */
static cusp_shape expected_shape(const cusp_description *d, int64_t rows) {
  cusp_shape shape = {.ndim = (int32_t)d->rank};
  for (size_t i = 0; i < d->rank; i++)
    shape.size[i] = d->shape[i];
  if (shape.ndim > 0 && shape.size[0] < 0)
    shape.size[0] = rows;
  return shape;
}

static cusp_result given_shape(cusp_shape *shape, const cusp_input *input, const char *what,
                               const char *kind) {
  if (input->rank > CUSP_MAX_DIMS || !input->shape)
    return cusp_c_fail(CUSP_ERROR_SHAPE, "%s: an %s has %zu axes%s", what, kind, input->rank,
                       input->shape ? "" : ", but no shape");
  shape->ndim = (int32_t)input->rank;
  for (size_t i = 0; i < input->rank; i++)
    shape->size[i] = input->shape[i];
  return CUSP_SUCCESS;
}

static cusp_result check_sizes(const cusp_shape *shape, int64_t rows, size_t place,
                               const char *what, const char *kind) {
  int64_t count;
  if (shape->ndim == 0 || shape->size[0] != rows)
    return cusp_c_fail(CUSP_ERROR_SHAPE, "%s: %s %zu has shape %s, but there are %lld rows", what,
                       kind, place + 1, cusp_shape_text(shape), (long long)rows);
  for (int i = 0; i < shape->ndim; i++)
    if (shape->size[i] < 0)
      return cusp_c_fail(CUSP_ERROR_SHAPE,
                         "%s: %s %zu has shape %s with open sizes (-1): give its shape", what, kind,
                         place + 1, cusp_shape_text(shape));
  if (cusp_shape_count_checked(&count, shape) != CUSP_OK || count > INT64_MAX / 16)
    return cusp_c_fail(CUSP_ERROR_SHAPE, "%s: %s %zu of shape %s is too large", what, kind,
                       place + 1, cusp_shape_text(shape));
  return CUSP_SUCCESS;
}

static cusp_result whole_shape(cusp_shape *shape, const cusp_description *d, int64_t rows,
                               const cusp_input *input, size_t place, const char *what,
                               const char *kind) {
  if (!d) {
    CUSP_C_TRY(given_shape(shape, input, what, kind));
    return check_sizes(shape, rows, place, what, kind);
  }
  *shape = expected_shape(d, rows);
  if (input->rank == 0 && !input->shape)
    return check_sizes(shape, rows, place, what, kind);
  if (input->rank > CUSP_MAX_DIMS || !input->shape || (int32_t)input->rank != shape->ndim)
    return !input->shape || input->rank > CUSP_MAX_DIMS
               ? given_shape(shape, input, what, kind)
               : fail_shape(shape, input, place, what, kind);
  for (int i = 0; i < shape->ndim; i++)
    if (shape->size[i] >= 0 && shape->size[i] != input->shape[i])
      return fail_shape(shape, input, place, what, kind);
  CUSP_C_TRY(given_shape(shape, input, what, kind));
  return check_sizes(shape, rows, place, what, kind);
}

static cusp_result check_element(const cusp_description *d, const cusp_input *input, size_t place,
                                 const char *what, const char *kind) {
  if (is_element((int)input->element) && (!d || d->element == input->element))
    return CUSP_SUCCESS;
  return cusp_c_fail(CUSP_ERROR_ELEMENT, "%s: %s %zu should be %s, got %s", what, kind, place + 1,
                     d ? name_of((int)d->element) : "a type of cusp_element",
                     name_of((int)input->element));
}

/* ------------------------------------------------------------------ inputs */

static cusp_result check_count(size_t given, const descriptions *known, const void *list,
                               const char *what, const char *kind) {
  if (!list && given)
    return cusp_c_fail(CUSP_ERROR_VALUE, "%s: the list of %ss is NULL", what, kind);
  if (given > CUSP_C_MOST_BUFFERS || (known->count && given != known->count))
    return cusp_c_fail(CUSP_ERROR_VALUE, "%s: expected %zu %s%s, got %zu", what,
                       known->count ? known->count : CUSP_C_MOST_BUFFERS, kind,
                       known->count == 1 ? "" : "s", given);
  return CUSP_SUCCESS;
}

cusp_result cusp_c_order(ordered *out, const descriptions *known, int64_t rows,
                         const cusp_input *list, size_t count, const char *what, const char *kind) {
  CUSP_C_TRY(check_count(count, known, list, what, kind));
  out->count = count;
  for (size_t i = 0; i < count; i++)
    out->inputs[i] = NULL;
  for (size_t i = 0; i < count; i++) {
    size_t place;
    CUSP_C_TRY(find_place(&place, list[i].name, i, known, what, kind));
    if (out->inputs[place])
      return cusp_c_fail(CUSP_ERROR_NAME, "%s: %s %zu is given twice", what, kind, place + 1);
    const cusp_description *d = known->count ? &known->list[place] : NULL;
    out->inputs[place] = &list[i];
    CUSP_C_TRY(check_element(d, &list[i], place, what, kind));
    CUSP_C_TRY(whole_shape(&out->shapes[place], d, rows, &list[i], place, what, kind));
  }
  return CUSP_SUCCESS;
}

/* Targets go with the outputs, but may have other types and shapes: labels, for example. */
cusp_result cusp_c_order_targets(ordered *out, const descriptions *outputs, int64_t rows,
                                 const cusp_input *list, size_t count, const char *what) {
  static const char kind[] = "target";
  if ((!list && count) || count > CUSP_C_MOST_BUFFERS)
    return check_count(count, &(descriptions){0}, list, what, kind);
  out->count = count;
  for (size_t i = 0; i < count; i++)
    out->inputs[i] = NULL;
  for (size_t i = 0; i < count; i++) {
    size_t place;
    CUSP_C_TRY(find_place(&place, list[i].name, i, outputs, what, kind));
    if (place >= count || out->inputs[place])
      return cusp_c_fail(CUSP_ERROR_NAME,
                         "%s: target %zu is given twice, or those before it are "
                         "missing",
                         what, place + 1);
    bool alike = list[i].rank == 0 && !list[i].shape && place < outputs->count;
    const cusp_description *d = alike ? &outputs->list[place] : NULL;
    out->inputs[place] = &list[i];
    CUSP_C_TRY(check_element(NULL, &list[i], place, what, kind));
    CUSP_C_TRY(whole_shape(&out->shapes[place], d, rows, &list[i], place, what, kind));
  }
  return cusp_c_check_data(out, what, kind);
}

/* Targets without a shape take that of the output, which labels do not have. */
static const char *shape_hint(const cusp_input *input, const char *kind) {
  bool taken = input->rank == 0 && !input->shape && strcmp(kind, "target") == 0;
  return taken
             ? "; a target of another shape, such as a label for each row, gives its rank and shape"
             : "";
}

cusp_result cusp_c_check_data(const ordered *o, const char *what, const char *kind) {
  for (size_t i = 0; i < o->count; i++) {
    size_t size = cusp_element_size(o->inputs[i]->element),
           bytes = (size_t)cusp_shape_count(&o->shapes[i]) * size;
    if (o->inputs[i]->bytes != bytes)
      return cusp_c_fail(CUSP_ERROR_SHAPE, "%s: %s %zu of %s %s has %zu bytes, got %zu%s", what,
                         kind, i + 1, name_of((int)o->inputs[i]->element),
                         cusp_shape_text(&o->shapes[i]), bytes, o->inputs[i]->bytes,
                         shape_hint(o->inputs[i], kind));
    if ((!o->inputs[i]->data && bytes) || (uintptr_t)o->inputs[i]->data % size)
      return cusp_c_fail(CUSP_ERROR_VALUE, "%s: the data of %s %zu %s", what, kind, i + 1,
                         o->inputs[i]->data ? "are not aligned to their elements" : "are NULL");
  }
  return CUSP_SUCCESS;
}

/* ------------------------------------------------------------------ outputs */

static cusp_result check_output(const cusp_description *d, int64_t factor, const cusp_output *o,
                                size_t place, const char *what) {
  size_t bytes = d->bytes * (size_t)factor;
  if (o->element != d->element)
    return cusp_c_fail(CUSP_ERROR_ELEMENT, "%s: output %zu is %s, got a buffer of %s", what,
                       place + 1, name_of((int)d->element), name_of((int)o->element));
  if (o->bytes != bytes)
    return cusp_c_fail(CUSP_ERROR_SHAPE, "%s: output %zu has %zu bytes, got a buffer of %zu", what,
                       place + 1, bytes, o->bytes);
  if ((!o->data && bytes) || (uintptr_t)o->data % cusp_element_size(o->element))
    return cusp_c_fail(CUSP_ERROR_VALUE, "%s: the buffer of output %zu %s", what, place + 1,
                       o->data ? "is not aligned to its elements" : "is NULL");
  return CUSP_SUCCESS;
}

cusp_result cusp_c_bind_outputs(void **data, const descriptions *known, int64_t factor,
                                const cusp_output *list, size_t count, const char *what) {
  bool names = count > 0 && list && list[0].name;
  if ((!list && count) || count > known->count || (count < known->count && !names))
    return cusp_c_fail(CUSP_ERROR_VALUE, "%s: expected %zu output%s, or fewer with names, got %zu",
                       what, known->count, known->count == 1 ? "" : "s", list ? count : 0);
  for (size_t i = 0; i < known->count; i++)
    data[i] = NULL;
  for (size_t i = 0; i < count; i++) {
    size_t place;
    CUSP_C_TRY(find_place(&place, list[i].name, i, known, what, "output"));
    if (data[place])
      return cusp_c_fail(CUSP_ERROR_NAME, "%s: output %zu is given twice", what, place + 1);
    CUSP_C_TRY(check_output(&known->list[place], factor, &list[i], place, what));
    data[place] = list[i].data;
  }
  return CUSP_SUCCESS;
}

static bool overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes) {
  uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
  return a_bytes && b_bytes && x < y + b_bytes && y < x + a_bytes;
}

cusp_result cusp_c_check_overlap(const cusp_input *inputs, size_t n_inputs,
                                 const cusp_output *outputs, size_t n_outputs, const char *what) {
  for (size_t i = 0; i < n_outputs; i++) {
    const cusp_output *o = &outputs[i];
    bool found = false;
    for (size_t k = 0; k < n_inputs; k++)
      found = found || overlap(o->data, o->bytes, inputs[k].data, inputs[k].bytes);
    for (size_t k = 0; k < i; k++)
      found = found || overlap(o->data, o->bytes, outputs[k].data, outputs[k].bytes);
    if (found)
      return cusp_c_fail(CUSP_ERROR_VALUE, "%s: the buffer of output %zu overlaps another", what,
                         i + 1);
  }
  return CUSP_SUCCESS;
}
