#ifndef CUSP_BASE_TEXT_H
#define CUSP_BASE_TEXT_H
/* Growing text, for printers. */

#include "status.h"

typedef struct cusp_text {
  char *data;
  int length, capacity;
  cusp_status status; /* the first failure; later additions do nothing */
} cusp_text;

void cusp_text_add(cusp_text *text, const char *format, ...) CUSP_PRINTF(2, 3);
/** Hands the text over (free with cusp_free), or frees it and gives the status of the first
 * failure. */
CUSP_NODISCARD cusp_status cusp_text_take(cusp_text *text, char **out);

#endif
