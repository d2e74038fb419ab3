/* Parsing the argument texts of rows, once each, when first asked for. */

#include "signature.h"

#include "../base/numerals.h"
#include "table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Storage that lives as long as the table; pages that no parsed row needs are never touched. */
static cusp_signature signatures[CUSP_TABLE_CAPACITY];
static atomic_bool parsed[CUSP_TABLE_CAPACITY];
static pthread_mutex_t parsing = PTHREAD_MUTEX_INITIALIZER;
static char string_pool[8192];
static int64_t int_pool[1024];
static size_t strings_used, ints_used;

static const struct {
  const char *name;
  cusp_parameter_kind kind;
} kind_names[] = {
    {"int", CUSP_PARAMETER_INT},       {"float", CUSP_PARAMETER_FLOAT},
    {"bool", CUSP_PARAMETER_BOOL},     {"dtype", CUSP_PARAMETER_DTYPE},
    {"string", CUSP_PARAMETER_STRING}, {"ints", CUSP_PARAMETER_INTS},
    {"shape", CUSP_PARAMETER_SHAPE},   {"axis", CUSP_PARAMETER_AXIS},
    {"axes", CUSP_PARAMETER_AXES},     {"int_or_ints", CUSP_PARAMETER_INT_OR_INTS},
};

static const char *skip_spaces(const char *text) {
  while (*text == ' ')
    text++;
  return text;
}

/* Copies the identifier at `text` into `name`; returns what follows it. */
static const char *read_name(const char *text, char *name, size_t capacity) {
  size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
  cusp_assert(length > 0 && length < capacity);
  if (length >= capacity)
    length = capacity - 1;
  memcpy(name, text, length);
  name[length] = '\0';
  return text + length;
}

static const char *read_string(const char *text, cusp_attr *value) {
  const char *end = strchr(text + 1, '"');
  size_t length = (size_t)(end - text - 1);
  cusp_assert(strings_used + length + 1 <= sizeof string_pool);
  char *copy = memcpy(string_pool + strings_used, text + 1, length);
  copy[length] = '\0';
  strings_used += length + 1;
  *value = cusp_attr_string(copy);
  return end + 1;
}

/* "[1, 2]" */
static const char *read_ints(const char *text, cusp_attr *value) {
  int64_t *first = int_pool + ints_used;
  int count = 0;
  for (text = skip_spaces(text + 1); *text != ']'; count++) {
    char *end;
    cusp_assert(ints_used < sizeof int_pool / sizeof *int_pool);
    int_pool[ints_used++] = strtoll(text, &end, 10);
    text = skip_spaces(end);
    if (*text == ',')
      text = skip_spaces(text + 1);
  }
  *value = cusp_attr_ints(first, count);
  return text + 1;
}

static const char *read_number(const char *text, const cusp_parameter *parameter,
                               cusp_attr *value) {
  char *end;
  if (parameter->kind == CUSP_PARAMETER_FLOAT)
    *value = cusp_attr_float(cusp_parse_double(text, &end));
  else
    *value = cusp_attr_int(strtoll(text, &end, 10));
  cusp_assert(end != text);
  if (parameter->kind == CUSP_PARAMETER_INTS || parameter->kind == CUSP_PARAMETER_AXES) {
    int_pool[ints_used] = value->integer;
    *value = cusp_attr_ints(int_pool + ints_used++, 1);
  }
  return end;
}

static const char *read_default(const char *text, cusp_parameter *parameter) {
  char word[24];
  if (*text == '"' && parameter->kind == CUSP_PARAMETER_STRING)
    return read_string(text, &parameter->default_value);
  if (*text == '[')
    return read_ints(text, &parameter->default_value);
  if ((*text >= '0' && *text <= '9') || *text == '-')
    return read_number(text, parameter, &parameter->default_value);
  const char *rest = read_name(text, word, sizeof word);
  cusp_dtype dtype;
  if (!strcmp(word, "true") || !strcmp(word, "false"))
    parameter->default_value = cusp_attr_bool(word[0] == 't');
  else if (parameter->kind == CUSP_PARAMETER_DTYPE && strcmp(word, "nil") != 0 &&
           cusp_dtype_parse(&dtype, word) == CUSP_OK)
    parameter->default_value = cusp_attr_dtype(dtype);
  else
    cusp_assert(!strcmp(word, "nil"));
  return rest;
}

static cusp_parameter_kind kind_of(const char *name) {
  for (size_t i = 0; i < sizeof kind_names / sizeof *kind_names; i++)
    if (!strcmp(kind_names[i].name, name))
      return kind_names[i].kind;
  cusp_assert(!"a kind of attribute");
  return CUSP_PARAMETER_INT;
}

static const char *read_parameter(const char *text, cusp_parameter *parameter) {
  char kind[16];
  text = read_name(text, parameter->name, sizeof parameter->name);
  if (!strncmp(text, "...", 3)) {
    parameter->kind = CUSP_PARAMETER_TENSORS;
    return skip_spaces(text + 3);
  }
  if (*text == '?') {
    parameter->optional = true;
    text++;
  }
  text = skip_spaces(text);
  if (*text != ':')
    return text; /* a tensor, which is kind 0 */
  text = skip_spaces(read_name(skip_spaces(text + 1), kind, sizeof kind));
  parameter->kind = kind_of(kind);
  if (*text != '=')
    return text;
  parameter->optional = true;
  return skip_spaces(read_default(skip_spaces(text + 1), parameter));
}

static void parse(cusp_signature *signature, const char *text) {
  for (text = skip_spaces(text); *text; text = skip_spaces(text)) {
    cusp_assert(signature->count < CUSP_MAX_PARAMETERS);
    cusp_parameter *parameter = &signature->parameters[signature->count++];
    text = read_parameter(text, parameter);
    if (parameter->kind == CUSP_PARAMETER_TENSOR || parameter->kind == CUSP_PARAMETER_TENSORS)
      signature->n_tensors++;
    else
      signature->n_attrs++;
    cusp_assert(*text == ',' || *text == '\0');
    if (*text == ',')
      text++;
  }
}

static const cusp_signature *look_up(const cusp_op *op) {
  int slot = cusp_op_slot(op->name);
  cusp_assert(slot >= 0 && cusp_op_find(op->name) == op);
  if (!atomic_load_explicit(&parsed[slot], memory_order_acquire)) {
    pthread_mutex_lock(&parsing);
    if (!atomic_load_explicit(&parsed[slot], memory_order_relaxed)) {
      parse(&signatures[slot], op->arguments);
      atomic_store_explicit(&parsed[slot], true, memory_order_release);
    }
    pthread_mutex_unlock(&parsing);
  }
  return &signatures[slot];
}

/* Every node made asks for one, so those asked for lately are found by the row's address, without
 * hashing its name. */
const cusp_signature *cusp_op_signature(const cusp_op *op) {
  static _Thread_local struct {
    const cusp_op *op;
    const cusp_signature *signature;
  } recent[256];
  size_t i = ((uintptr_t)op / sizeof(cusp_op)) % 256;
  if (recent[i].op != op) {
    recent[i].op = op;
    recent[i].signature = look_up(op);
  }
  return recent[i].signature;
}
