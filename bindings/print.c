/* Tensors as text, in NumPy's manner: aligned columns, few digits, long axes abridged to their
 * ends. */
#include "binding.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EDGE_ITEMS = 3, THRESHOLD = 1000, LINE_WIDTH = 75, ELEMENT_SIZE = 96, LONGEST_STRING = 60 };

typedef struct printer {
  const cusp_array *array;
  luaL_Buffer *buffer;
  bool abridged;
  bool scientific;
  int decimals; /* after the point, of floats */
  int width;    /* of every element */
  int column;   /* where the line being written is */
  int indent;   /* of what is inside "tensor(" */
} printer;

/* ------------------------------------------------------------------ what is shown */

typedef void (*visit_fn)(void *context, const char *element);

static const char *at(const cusp_array *array, const char *from, int axis, int64_t i) {
  return from + i * array->strides[axis] * (int64_t)cusp_dtype_size(array->dtype);
}

/* The item after i along an axis of `size`: the middle of a long one is left out. */
static int64_t next_shown(const printer *p, int64_t i, int64_t size) {
  bool skips = p->abridged && size > 2 * EDGE_ITEMS && i == EDGE_ITEMS - 1;
  return skips ? size - EDGE_ITEMS : i + 1;
}

static void visit(const printer *p, const char *from, int axis, visit_fn fn, void *context) {
  if (axis == p->array->shape.ndim) {
    fn(context, from);
    return;
  }
  int64_t size = p->array->shape.size[axis];
  for (int64_t i = 0; i < size; i = next_shown(p, i, size))
    visit(p, at(p->array, from, axis, i), axis + 1, fn, context);
}

/* ------------------------------------------------------------------ one format for all elements */

typedef struct survey {
  cusp_dtype dtype;
  double largest, smallest; /* of the finite absolute values, zeros left out of the smallest */
  bool whole;               /* all are integers */
  int decimals, exponent_decimals;
} survey;

static int significant_digits(cusp_dtype dtype, int ndim) {
  if (cusp_dtype_is_half(dtype))
    return 4;
  return dtype == CUSP_FLOAT64 ? (ndim ? 8 : 15) : (ndim ? 6 : 7);
}

/* Digits after the point in "%.*g" or "%.*e" text, trailing zeros not counted. */
static int count_decimals(const char *text) {
  const char *point = strchr(text, '.');
  int count = 0, last = 0;
  if (!point)
    return 0;
  for (const char *c = point + 1; *c >= '0' && *c <= '9'; c++) {
    count++;
    if (*c != '0')
      last = count;
  }
  return last;
}

typedef struct surveyor {
  survey *survey;
  int digits;
} surveyor;

static void survey_element(void *context, const char *element) {
  surveyor *s = context;
  survey *v = s->survey;
  double x = fabs(cusp_load_double(v->dtype, element));
  char text[ELEMENT_SIZE];
  if (!isfinite(x) || x == 0)
    return;
  v->largest = fmax(v->largest, x);
  v->smallest = fmin(v->smallest, x);
  v->whole = v->whole && x == floor(x);
  cusp_format(text, sizeof text, "%.*e", s->digits - 1, x);
  int mantissa = count_decimals(text), exponent = atoi(strchr(text, 'e') + 1),
      decimals = mantissa - exponent;
  v->exponent_decimals = mantissa > v->exponent_decimals ? mantissa : v->exponent_decimals;
  v->decimals = decimals > v->decimals ? decimals : v->decimals;
}

/* Fixed point unless the values are huge, tiny or far apart, with no more decimals than the largest
 * has digits for. */
static void choose_float_format(printer *p) {
  cusp_dtype dtype = p->array->dtype;
  int digits = significant_digits(dtype, p->array->shape.ndim);
  survey v = {.dtype = dtype, .smallest = INFINITY, .whole = true};
  visit(p, p->array->data, 0, survey_element, &(surveyor){&v, digits});
  if (v.largest == 0)
    return;
  p->scientific =
      v.largest >= 1e8 || (!v.whole && (v.smallest < 1e-4 || v.largest / v.smallest > 1e5));
  if (p->scientific) {
    p->decimals = v.exponent_decimals;
  } else if (!v.whole) {
    int whole_digits = v.largest < 1 ? 0 : (int)floor(log10(v.largest)) + 1,
        room = digits - whole_digits;
    p->decimals = v.decimals < room ? v.decimals : room > 1 ? room : 1;
  }
}

/* One byte as it stands in quotes, "\\n" and "\\xff" for what cannot be seen; the bytes of UTF-8
 * are left as they are. Returns the length. */
static int format_byte(char *text, unsigned char byte) {
  const char *special = "\n\r\t\"\\", *found = byte ? strchr(special, byte) : NULL;
  if (found)
    return snprintf(text, 5, "\\%c", "nrt\"\\"[found - special]);
  if (byte < ' ' || byte == 127)
    return snprintf(text, 5, "\\x%02x", byte);
  *text = (char)byte;
  return 1;
}

/* Whether what starts there is whole UTF-8; then *length is that of its character. */
static bool is_utf8(const unsigned char *bytes, size_t left, size_t *length) {
  *length = *bytes < 0x80       ? 1
            : *bytes >> 5 == 6  ? 2
            : *bytes >> 4 == 14 ? 3
            : *bytes >> 3 == 30 ? 4
                                : 0;
  if (*length == 0 || *length > left)
    return false;
  for (size_t i = 1; i < *length; i++)
    if (bytes[i] >> 6 != 2)
      return false;
  return true;
}

/* In quotes; a long one is cut. */
static int format_string(char text[ELEMENT_SIZE], cusp_string string) {
  cusp_text_view view = cusp_string_view(string);
  const unsigned char *bytes = (const unsigned char *)view.bytes;
  int at = 1;
  text[0] = '"';
  for (size_t i = 0, length; i < view.length; i += length) {
    if (at > LONGEST_STRING) {
      memcpy(text + at, "...", 3);
      at += 3;
      break;
    }
    if (!is_utf8(bytes + i, view.length - i, &length)) {
      length = 1;
      at += snprintf(text + at, 5, "\\x%02x", bytes[i]);
    } else if (length == 1) {
      at += format_byte(text + at, bytes[i]);
    } else {
      memcpy(text + at, bytes + i, length);
      at += (int)length;
    }
  }
  text[at] = '"';
  text[at + 1] = '\0';
  return at + 1;
}

static int format_element(const printer *p, char text[ELEMENT_SIZE], const char *element) {
  cusp_dtype dtype = p->array->dtype;
  if (dtype == CUSP_STRING)
    return format_string(text, *(const cusp_string *)element);
  if (dtype == CUSP_BOOL)
    return snprintf(text, ELEMENT_SIZE, "%s", *element ? "true" : "false");
  if (dtype == CUSP_UINT64)
    return snprintf(text, ELEMENT_SIZE, "%llu", (unsigned long long)cusp_load_int(dtype, element));
  if (!cusp_dtype_is_float(dtype))
    return snprintf(text, ELEMENT_SIZE, "%lld", (long long)cusp_load_int(dtype, element));
  double x = cusp_load_double(dtype, element);
  if (isnan(x))
    return snprintf(text, ELEMENT_SIZE, "nan");
  return cusp_format(text, ELEMENT_SIZE, p->scientific ? "%.*e" : "%.*f", p->decimals, x);
}

static void widen(void *context, const char *element) {
  printer *p = context;
  char text[ELEMENT_SIZE];
  int length = format_element(p, text, element);
  p->width = length > p->width ? length : p->width;
}

/* ------------------------------------------------------------------ writing */

static void add(printer *p, const char *text) {
  luaL_addstring(p->buffer, text);
  p->column += (int)strlen(text);
}

static void new_line(printer *p, int blank_lines, int indent) {
  for (int i = 0; i < blank_lines + 1; i++)
    luaL_addchar(p->buffer, '\n');
  for (int i = 0; i < indent; i++)
    luaL_addchar(p->buffer, ' ');
  p->column = indent;
}

static void add_element(printer *p, const char *element) {
  char text[ELEMENT_SIZE];
  int length = format_element(p, text, element);
  for (; length < p->width; length++)
    add(p, " ");
  add(p, text);
}

/* What stands between two items of an axis: along the last one a space, elsewhere as many line ends
 * as axes are below. */
static void separate(printer *p, int axis, int next_width) {
  int below = p->array->shape.ndim - 1 - axis;
  add(p, ",");
  if (below > 0)
    new_line(p, below - 1, p->indent + axis + 1);
  else if (p->column + 1 + next_width + 1 > LINE_WIDTH)
    new_line(p, 0, p->indent + axis + 1);
  else
    add(p, " ");
}

static void write_axis(printer *p, const char *from, int axis) {
  if (axis == p->array->shape.ndim) {
    add_element(p, from);
    return;
  }
  int64_t size = p->array->shape.size[axis];
  add(p, "[");
  for (int64_t i = 0, next; i < size; i = next) {
    write_axis(p, at(p->array, from, axis, i), axis + 1);
    next = next_shown(p, i, size);
    if (next > i + 1) {
      separate(p, axis, 3);
      add(p, "...");
    }
    if (next < size)
      separate(p, axis, p->width);
  }
  add(p, "]");
}

/* ", shape = {2, 3}, dtype = float32)"; a scalar has no shape to show. */
static void add_type(luaL_Buffer *buffer, const cusp_type *type) {
  char text[32];
  if (type->shape.ndim > 0)
    luaL_addstring(buffer, ", shape = {");
  for (int i = 0; i < type->shape.ndim; i++) {
    snprintf(text, sizeof text, "%s%lld", i ? ", " : "", (long long)type->shape.size[i]);
    luaL_addstring(buffer, text);
  }
  if (type->shape.ndim > 0)
    luaL_addchar(buffer, '}');
  luaL_addstring(buffer, ", dtype = ");
  luaL_addstring(buffer, cusp_dtype_name(type->dtype));
  luaL_addchar(buffer, ')');
}

/* Whether brackets and numbers are too many to be shown; an array without elements may have any
 * number of brackets. */
static bool is_long(const cusp_shape *shape) {
  int64_t count = 1;
  for (int axis = 0; axis < shape->ndim && count <= THRESHOLD && shape->size[axis] > 0; axis++)
    count *= shape->size[axis] > THRESHOLD ? THRESHOLD + 1 : shape->size[axis];
  return count > THRESHOLD;
}

static void add_values(luaL_Buffer *buffer, const cusp_array *array, int indent) {
  printer p = {.array = array, .buffer = buffer, .indent = indent, .column = indent};
  p.abridged = is_long(&array->shape);
  if (cusp_dtype_is_float(array->dtype))
    choose_float_format(&p);
  if (array->dtype != CUSP_STRING)
    visit(&p, array->data, 0, widen, &p);
  write_axis(&p, array->data, 0);
}

void cusp_lua_push_text(lua_State *L, const char *name, const cusp_node *node) {
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  luaL_addstring(&buffer, name);
  luaL_addchar(&buffer, '(');
  if (cusp_node_evaluated(node))
    add_values(&buffer, &node->value, (int)strlen(name) + 1);
  else
    luaL_addstring(&buffer, node->trace ? "traced" : "pending");
  add_type(&buffer, &node->type);
  luaL_pushresult(&buffer);
}
