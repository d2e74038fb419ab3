#ifndef CUSP_NODE_ATTRIBUTES_H
#define CUSP_NODE_ATTRIBUTES_H
/* Attributes compared and printed. */

#include "../base/text.h"
#include "op.h"

bool cusp_attr_equal(const cusp_attr *a, const cusp_attr *b);
void cusp_text_add_attr(cusp_text *text, const cusp_attr *attr);

#endif
