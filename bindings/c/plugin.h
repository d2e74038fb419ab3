#ifndef CUSP_BINDINGS_C_PLUGIN_H
#define CUSP_BINDINGS_C_PLUGIN_H
/* What a native module tells libcusp, which loads it. */

#include "lua_calls.h"

#define CUSP_PLUGIN_VERSION 1

typedef struct cusp_plugin {
  int version;
  const cusp_lua_calls **lua; /* to be set before `open` */
  lua_CFunction open;
} cusp_plugin;

#endif
