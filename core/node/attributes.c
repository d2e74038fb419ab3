/* Attributes compared and printed. */
#include "attributes.h"

#include <string.h>

bool cusp_attr_equal(const cusp_attr *a, const cusp_attr *b) {
  if (a->kind != b->kind)
    return false;
  switch (a->kind) {
  case CUSP_ATTR_NONE: return true;
  case CUSP_ATTR_FLOAT: return memcmp(&a->number, &b->number, sizeof a->number) == 0;
  case CUSP_ATTR_INTS:
    return a->count == b->count &&
           memcmp(a->ints, b->ints, (size_t)a->count * sizeof *a->ints) == 0;
  case CUSP_ATTR_STRING: return strcmp(a->string, b->string) == 0;
  default: return a->integer == b->integer;
  }
}

void cusp_text_add_attr(cusp_text *text, const cusp_attr *attr) {
  switch (attr->kind) {
  case CUSP_ATTR_NONE: cusp_text_add(text, "nil"); break;
  case CUSP_ATTR_FLOAT: cusp_text_add(text, "%g", attr->number); break;
  case CUSP_ATTR_BOOL: cusp_text_add(text, attr->integer ? "true" : "false"); break;
  case CUSP_ATTR_DTYPE:
    cusp_text_add(text, "%s", cusp_dtype_name((cusp_dtype)attr->integer));
    break;
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
