#ifndef CUSP_BINDINGS_C_MODULES_H
#define CUSP_BINDINGS_C_MODULES_H
/* What scripts/embed.lua writes: the library's modules, compiled, sorted by name. */

#include <stddef.h>

typedef struct cusp_c_module {
  const char *name;
  const unsigned char *code;
  size_t bytes;
} cusp_c_module;

extern const cusp_c_module cusp_c_modules[];
extern const size_t cusp_c_module_count;

#endif
