#ifndef CUSP_BINDINGS_LENT_H
#define CUSP_BINDINGS_LENT_H
/*
 * Bytes of a tensor lent to another native module, which shares no symbols with the engine: a
 * userdata of the metatable "cusp.Lent" that begins with this struct. The bytes stay as they are
 * while the userdata lives.
 */

#include <stddef.h>

#define CUSP_LENT "cusp.Lent"

typedef struct cusp_lent {
  const void *bytes; /* row-major, as this machine keeps them */
  size_t size;
} cusp_lent;

#endif
