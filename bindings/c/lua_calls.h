#ifndef CUSP_BINDINGS_C_LUA_CALLS_H
#define CUSP_BINDINGS_C_LUA_CALLS_H
/*
 * Read before the sources of a native module that is built for libcusp: their calls of Lua go
 * through a table that libcusp fills. What is missing here is missing when the module is linked:
 * add it to both lists.
 */

#include <lauxlib.h>
#include <lua.h>

/* clang-format off */
#define CUSP_LUA_CALLS(X) \
  X(luaL_addstring) X(luaL_argerror) X(luaL_buffinit) X(luaL_buffinitsize) X(luaL_checkinteger) \
  X(luaL_checklstring) X(luaL_checknumber) X(luaL_checkoption) X(luaL_checkstack) \
  X(luaL_checktype) X(luaL_checkudata) X(luaL_checkversion_) X(luaL_error) X(luaL_newmetatable) \
  X(luaL_optinteger) X(luaL_optlstring) X(luaL_optnumber) X(luaL_prepbuffsize) X(luaL_pushresult) \
  X(luaL_pushresultsize) X(luaL_setfuncs) X(luaL_setmetatable) X(luaL_testudata) \
  X(luaL_tolstring) X(lua_callk) X(lua_createtable) X(lua_error) X(lua_getfield) X(lua_geti) \
  X(lua_getiuservalue) X(lua_gettop) X(lua_newuserdatauv) X(lua_next) X(lua_pcallk) \
  X(lua_pushboolean) X(lua_pushcclosure) X(lua_pushfstring) X(lua_pushinteger) \
  X(lua_pushlightuserdata) X(lua_pushlstring) X(lua_pushnil) X(lua_pushnumber) X(lua_pushstring) \
  X(lua_pushvalue) X(lua_pushvfstring) X(lua_rawgeti) X(lua_rawlen) X(lua_rawset) X(lua_rawseti) \
  X(lua_setfield) X(lua_setiuservalue) X(lua_setmetatable) X(lua_settop) X(lua_toboolean) \
  X(lua_toclose) X(lua_tointegerx) X(lua_tolstring) X(lua_tonumberx) X(lua_touserdata) \
  X(lua_type) X(lua_typename)
/* clang-format on */

#define CUSP_LUA_MEMBER(name) __typeof__(name) *name;
typedef struct cusp_lua_calls {
  CUSP_LUA_CALLS(CUSP_LUA_MEMBER)
} cusp_lua_calls;

extern const cusp_lua_calls *cusp_lua;

#ifndef CUSP_LUA_CALLS_TABLE /* where the table is made, names stay names */
#define luaL_addstring (cusp_lua->luaL_addstring)
#define luaL_argerror (cusp_lua->luaL_argerror)
#define luaL_buffinit (cusp_lua->luaL_buffinit)
#define luaL_buffinitsize (cusp_lua->luaL_buffinitsize)
#define luaL_checkinteger (cusp_lua->luaL_checkinteger)
#define luaL_checklstring (cusp_lua->luaL_checklstring)
#define luaL_checknumber (cusp_lua->luaL_checknumber)
#define luaL_checkoption (cusp_lua->luaL_checkoption)
#define luaL_checkstack (cusp_lua->luaL_checkstack)
#define luaL_checktype (cusp_lua->luaL_checktype)
#define luaL_checkudata (cusp_lua->luaL_checkudata)
#define luaL_checkversion_ (cusp_lua->luaL_checkversion_)
#define luaL_error (cusp_lua->luaL_error)
#define luaL_newmetatable (cusp_lua->luaL_newmetatable)
#define luaL_optinteger (cusp_lua->luaL_optinteger)
#define luaL_optlstring (cusp_lua->luaL_optlstring)
#define luaL_optnumber (cusp_lua->luaL_optnumber)
#define luaL_prepbuffsize (cusp_lua->luaL_prepbuffsize)
#define luaL_pushresult (cusp_lua->luaL_pushresult)
#define luaL_pushresultsize (cusp_lua->luaL_pushresultsize)
#define luaL_setfuncs (cusp_lua->luaL_setfuncs)
#define luaL_setmetatable (cusp_lua->luaL_setmetatable)
#define luaL_testudata (cusp_lua->luaL_testudata)
#define luaL_tolstring (cusp_lua->luaL_tolstring)
#define lua_callk (cusp_lua->lua_callk)
#define lua_createtable (cusp_lua->lua_createtable)
#define lua_error (cusp_lua->lua_error)
#define lua_getfield (cusp_lua->lua_getfield)
#define lua_geti (cusp_lua->lua_geti)
#define lua_getiuservalue (cusp_lua->lua_getiuservalue)
#define lua_gettop (cusp_lua->lua_gettop)
#define lua_newuserdatauv (cusp_lua->lua_newuserdatauv)
#define lua_next (cusp_lua->lua_next)
#define lua_pcallk (cusp_lua->lua_pcallk)
#define lua_pushboolean (cusp_lua->lua_pushboolean)
#define lua_pushcclosure (cusp_lua->lua_pushcclosure)
#define lua_pushfstring (cusp_lua->lua_pushfstring)
#define lua_pushinteger (cusp_lua->lua_pushinteger)
#define lua_pushlightuserdata (cusp_lua->lua_pushlightuserdata)
#define lua_pushlstring (cusp_lua->lua_pushlstring)
#define lua_pushnil (cusp_lua->lua_pushnil)
#define lua_pushnumber (cusp_lua->lua_pushnumber)
#define lua_pushstring (cusp_lua->lua_pushstring)
#define lua_pushvalue (cusp_lua->lua_pushvalue)
#define lua_pushvfstring (cusp_lua->lua_pushvfstring)
#define lua_rawgeti (cusp_lua->lua_rawgeti)
#define lua_rawlen (cusp_lua->lua_rawlen)
#define lua_rawset (cusp_lua->lua_rawset)
#define lua_rawseti (cusp_lua->lua_rawseti)
#define lua_setfield (cusp_lua->lua_setfield)
#define lua_setiuservalue (cusp_lua->lua_setiuservalue)
#define lua_setmetatable (cusp_lua->lua_setmetatable)
#define lua_settop (cusp_lua->lua_settop)
#define lua_toboolean (cusp_lua->lua_toboolean)
#define lua_toclose (cusp_lua->lua_toclose)
#define lua_tointegerx (cusp_lua->lua_tointegerx)
#define lua_tolstring (cusp_lua->lua_tolstring)
#define lua_tonumberx (cusp_lua->lua_tonumberx)
#define lua_touserdata (cusp_lua->lua_touserdata)
#define lua_type (cusp_lua->lua_type)
#define lua_typename (cusp_lua->lua_typename)
#endif

#endif
