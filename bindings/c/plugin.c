/* Linked into each native module for libcusp, CUSP_PLUGIN_OPEN being the function of its name. */
#include "plugin.h"

#define EXPORT __attribute__((visibility("default")))

const cusp_lua_calls *cusp_lua;
int CUSP_PLUGIN_OPEN(lua_State *L);

extern const cusp_plugin cusp_plugin_table;
EXPORT const cusp_plugin cusp_plugin_table = {CUSP_PLUGIN_VERSION, &cusp_lua, CUSP_PLUGIN_OPEN};
