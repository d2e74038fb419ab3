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
