/* Strings as integers (see lookup.h). */
#include "lookup.h"

#include "../base/threads.h"
#include "hashes.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define GRAIN 1024 /* strings; a look-up takes some 10 ns */

/* ------------------------------------------------------------------ vocabularies */

static cusp_status run_lookup_table(cusp_call *call) {
  const cusp_string *tokens = call->inputs[0].data;
  cusp_string *slots = call->outputs[0].data;
  int64_t *indices = call->outputs[1].data, capacity = call->outputs[0].shape.size[0];
  memset(slots, 0, (size_t)capacity * sizeof *slots);
  memset(indices, 0, (size_t)capacity * sizeof *indices);
  for (int64_t i = 0; i < call->inputs[0].shape.size[0]; i++) {
    int64_t at = cusp_string_hash(tokens[i]) & (capacity - 1);
    while (slots[at] && slots[at] != tokens[i])
      at = (at + 1) & (capacity - 1);
    if (!slots[at])
      indices[at] = i;
    slots[at] = tokens[i];
  }
  return CUSP_OK;
}

typedef struct vocabulary {
  const cusp_string *slots;
  const int64_t *indices;
  uint64_t mask;
  int64_t start, unknown, empty;
} vocabulary;

/* The table is inputs 1 and 2; `attrs` are the start and the indices of others. */
static vocabulary read_vocabulary(const cusp_call *call, const cusp_attr *attrs) {
  return (vocabulary){
      call->inputs[1].data, call->inputs[2].data, (uint64_t)call->inputs[1].shape.size[0] - 1,
      attrs[0].integer,     attrs[1].integer,     attrs[2].integer};
}

static int64_t index_of_string(const vocabulary *v, cusp_string string) {
  if (string == 0)
    return v->empty;
  for (uint64_t at = cusp_string_hash(string) & v->mask; v->slots[at]; at = (at + 1) & v->mask)
    if (v->slots[at] == string)
      return v->start + v->indices[at];
  return v->unknown;
}

static int64_t index_of_bytes(const vocabulary *v, cusp_text_view token) {
  if (token.length == 0)
    return v->empty;
  uint64_t at = cusp_bytes_hash(token.bytes, token.length) & v->mask;
  for (; v->slots[at]; at = (at + 1) & v->mask) {
    cusp_text_view known = cusp_string_view(v->slots[at]);
    if (known.length == token.length && memcmp(known.bytes, token.bytes, token.length) == 0)
      return v->start + v->indices[at];
  }
  return v->unknown;
}

typedef struct lookup_task {
  vocabulary vocabulary;
  const cusp_string *x;
  int64_t *out;
  _Atomic int64_t refused; /* the place of a string that has no index; -1 */
} lookup_task;

static void look_up(void *context, int64_t begin, int64_t end) {
  lookup_task *task = context;
  for (int64_t i = begin; i < end; i++) {
    task->out[i] = index_of_string(&task->vocabulary, task->x[i]);
    if (task->out[i] == INT64_MIN)
      atomic_store(&task->refused, i);
  }
}

static cusp_status run_lookup(cusp_call *call) {
  lookup_task task = {read_vocabulary(call, call->attrs), call->inputs[0].data,
                      call->outputs[0].data, -1};
  cusp_parallel_for(cusp_array_count(&call->inputs[0]), GRAIN, look_up, &task);
  int64_t refused = atomic_load(&task.refused);
  if (refused < 0)
    return CUSP_OK;
  cusp_text_view text = cusp_string_view(task.x[refused]);
  return cusp_fail(CUSP_EVALUE,
                   "StringLookup: with num_oov_indices = 0 all inputs should be in the vocabulary; "
                   "found \"%.*s\"",
                   (int)(text.length < 80 ? text.length : 80), text.bytes);
}

/* ------------------------------------------------------------------ hashes */

typedef struct hash_task {
  const cusp_array *x;
  int64_t *out;
  uint64_t bins, key[2];
  bool keyed;
} hash_task;

static void hash_strings(void *context, int64_t begin, int64_t end) {
  const hash_task *task = context;
  for (int64_t i = begin; i < end; i++) {
    char number[24];
    cusp_text_view text;
    if (task->x->dtype == CUSP_STRING) {
      text = cusp_string_view(((const cusp_string *)task->x->data)[i]);
    } else {
      long long value = ((const int64_t *)task->x->data)[i];
      text = (cusp_text_view){number, (size_t)snprintf(number, sizeof number, "%lld", value)};
    }
    uint64_t hash = task->keyed ? cusp_siphash(text.bytes, text.length, task->key)
                                : cusp_farmhash(text.bytes, text.length);
    task->out[i] = (int64_t)(hash % task->bins);
  }
}

static cusp_status run_hash_strings(cusp_call *call) {
  const cusp_attr *key = &call->attrs[1];
  hash_task task = {&call->inputs[0], call->outputs[0].data, (uint64_t)call->attrs[0].integer,
                    .keyed = key->kind == CUSP_ATTR_INTS};
  for (int i = 0; task.keyed && i < 2; i++)
    task.key[i] = (uint64_t)key->ints[i];
  cusp_parallel_for(cusp_array_count(task.x), GRAIN, hash_strings, &task);
  return CUSP_OK;
}

/* The key from which TensorFlow starts. */
#define FIRST_FINGERPRINT 0xDECAFCAFFEu

static uint64_t fingerprint(const cusp_array *x, int64_t i) {
  if (x->dtype != CUSP_STRING)
    return (uint64_t)((const int64_t *)x->data)[i];
  cusp_text_view text = cusp_string_view(((const cusp_string *)x->data)[i]);
  return cusp_farmhash(text.bytes, text.length);
}

static cusp_status run_cross_hashes(cusp_call *call) {
  int64_t *out = call->outputs[0].data, count = cusp_array_count(&call->outputs[0]);
  for (int64_t i = 0; i < count; i++) {
    uint64_t hash = FIRST_FINGERPRINT;
    for (int k = 0; k < call->n_inputs; k++)
      hash = cusp_fingerprint_join(hash, fingerprint(&call->inputs[k], i));
    out[i] = (int64_t)(hash % (uint64_t)call->attrs[0].integer);
  }
  return CUSP_OK;
}

/* ------------------------------------------------------------------ texts */

cusp_status cusp_text_steps_read(cusp_text_steps *steps, const cusp_attr *attrs,
                                 const cusp_attr *ngrams) {
  *steps = (cusp_text_steps){0};
  CUSP_TRY(cusp_text_steps_standardize(steps, attrs[0].string));
  CUSP_TRY(cusp_text_steps_split(steps, attrs[1].string));
  if (ngrams->kind == CUSP_ATTR_NONE)
    return CUSP_OK;
  steps->up_to = ngrams->kind == CUSP_ATTR_INT;
  steps->ngrams = steps->up_to ? &ngrams->integer : ngrams->ints;
  steps->n_ngrams = steps->up_to ? 1 : ngrams->count;
  for (int i = 0; i < steps->n_ngrams; i++)
    if (steps->ngrams[i] < 1)
      return cusp_fail(CUSP_EVALUE, "ngrams should be at least 1, got %lld",
                       (long long)steps->ngrams[i]);
  return CUSP_OK;
}

typedef struct text_task {
  cusp_text_steps steps;
  vocabulary vocabulary;
  const cusp_string *texts;
  int64_t *out;
  int64_t columns, width; /* texts of a row, entries of the output's */
  char mode;              /* 'i'nt, 'c'ount, 'm'ulti_hot; 't': how many tokens */
  atomic_bool failed;
} text_task;

typedef struct row_writer {
  const text_task *task;
  int64_t *out;
  int64_t at;
} row_writer;

static bool write_token(void *context, cusp_text_view token) {
  row_writer *w = context;
  const text_task *task = w->task;
  if (task->mode == 'i' && w->at == task->width)
    return false;
  int64_t index = index_of_bytes(&task->vocabulary, token);
  if (task->mode == 'i')
    w->out[w->at++] = index;
  else if (index >= 0 && index < task->width)
    w->out[index] = task->mode == 'c' ? w->out[index] + 1 : 1;
  return true;
}

static cusp_status tokenize_row(cusp_tokens *tokens, const text_task *task, int64_t row) {
  const cusp_string *texts = task->texts + row * task->columns;
  size_t bytes = 0;
  for (int64_t i = 0; i < task->columns; i++)
    bytes += cusp_string_view(texts[i]).length;
  CUSP_TRY(cusp_tokens_reserve(tokens, (size_t)task->columns, bytes));
  for (int64_t i = 0; i < task->columns; i++)
    cusp_tokens_add(tokens, &task->steps, cusp_string_view(texts[i]));
  return CUSP_OK;
}

static void vectorize_rows(void *context, int64_t begin, int64_t end) {
  text_task *task = context;
  cusp_tokens tokens = {0};
  for (int64_t row = begin; row < end; row++) {
    if (tokenize_row(&tokens, task, row) != CUSP_OK) {
      atomic_store(&task->failed, true);
      break;
    }
    row_writer writer = {task, task->out + row * task->width, 0};
    if (task->mode == 't')
      *writer.out = (int64_t)cusp_tokens_count(&tokens, &task->steps);
    else
      cusp_tokens_visit(&tokens, &task->steps, write_token, &writer);
  }
  cusp_tokens_free(&tokens);
}

static cusp_status run_texts(cusp_call *call, text_task *task, const cusp_attr *ngrams) {
  const cusp_array *out = &call->outputs[0];
  int64_t rows = out->shape.size[0];
  task->texts = call->inputs[0].data;
  task->out = out->data;
  task->width = out->shape.ndim > 1 ? out->shape.size[1] : 1;
  task->columns = rows > 0 ? cusp_array_count(&call->inputs[0]) / rows : 0;
  CUSP_TRY(cusp_text_steps_read(&task->steps, call->attrs, ngrams));
  memset(task->out, 0, (size_t)cusp_array_count(out) * sizeof *task->out);
  if (task->width > 0)
    cusp_parallel_for(rows, 16, vectorize_rows, task);
  return atomic_load(&task->failed)
             ? cusp_fail(CUSP_ENOMEM, "out of memory while texts were split into tokens")
             : CUSP_OK;
}

static cusp_status run_count_tokens(cusp_call *call) {
  return run_texts(call, &(text_task){.mode = 't'}, &call->attrs[2]);
}

static cusp_status run_vectorize_text(cusp_call *call) {
  text_task task = {.mode = call->attrs[2].string[0],
                    .vocabulary = read_vocabulary(call, call->attrs + 4)};
  return run_texts(call, &task, &call->attrs[7]);
}

const cusp_kernel cusp_lookup_table_kernels[] = {{.name = "insert", .run = run_lookup_table}, {0}};
const cusp_kernel cusp_lookup_kernels[] = {{.name = "probe", .run = run_lookup}, {0}};
const cusp_kernel cusp_hash_strings_kernels[] = {{.name = "hash", .run = run_hash_strings}, {0}};
const cusp_kernel cusp_cross_hashes_kernels[] = {{.name = "hash", .run = run_cross_hashes}, {0}};
const cusp_kernel cusp_count_tokens_kernels[] = {{.name = "count", .run = run_count_tokens}, {0}};
const cusp_kernel cusp_vectorize_text_kernels[] = {{.name = "tokens", .run = run_vectorize_text},
                                                   {0}};
