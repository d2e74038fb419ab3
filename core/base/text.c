#include "text.h"

#include "collections.h"
#include "numerals.h"

#include <stdarg.h>
#include <stdio.h>

void cusp_text_add(cusp_text *text, const char *format, ...) {
  va_list list, again;
  va_start(list, format);
  va_copy(again, list);
  int length = cusp_vformat(NULL, 0, format, list);
  va_end(list);
  if (text->status == CUSP_OK && length >= 0)
    text->status = CUSP_GROW(text->data, text->capacity, text->length + length + 1);
  if (text->status == CUSP_OK && length >= 0) {
    cusp_vformat(text->data + text->length, (size_t)length + 1, format, again);
    text->length += length;
  }
  va_end(again);
}

void cusp_text_add_attr(cusp_text *text, const cusp_attr *attr) {
  switch (attr->kind) {
  case CUSP_ATTR_NONE: cusp_text_add(text, "nil"); break;
  case CUSP_ATTR_FLOAT: cusp_text_add(text, "%g", attr->number); break;
  case CUSP_ATTR_BOOL: cusp_text_add(text, attr->integer ? "true" : "false"); break;
  case CUSP_ATTR_DTYPE: cusp_text_add(text, "%s", cusp_dtype_name((cusp_dtype)attr->integer)); break;
  case CUSP_ATTR_NULL: cusp_text_add(text, "null"); break;
  case CUSP_ATTR_STRING: cusp_text_add(text, "\"%s\"", attr->string); break;
  case CUSP_ATTR_INT: cusp_text_add(text, "%lld", (long long)attr->integer); break;
  case CUSP_ATTR_SUBGRAPHS: cusp_text_add(text, "graphs"); break;
  case CUSP_ATTR_INTS:
    cusp_text_add(text, "[");
    for (int i = 0; i < attr->count; i++)
      cusp_text_add(text, "%s%lld", i ? ", " : "", (long long)attr->ints[i]);
    cusp_text_add(text, "]");
    break;
  }
}

cusp_status cusp_text_take(cusp_text *text, char **out) {
  *out = NULL;
  if (text->status != CUSP_OK) {
    cusp_free(text->data);
    return text->status;
  }
  *out = text->data;
  *text = (cusp_text){0};
  return CUSP_OK;
}
