/* Whether Lua values that a plan captured are still the same: the quick half of cusp.captures. */
#include "binding.h"

#include <string.h>

static const char watch_kind[] = "cusp.Watch";

/* A value as it was: objects and strings by address, which the list of the watch keeps alive. */
typedef struct noted {
  int type;
  bool is_integer;
  union {
    lua_Integer integer; /* booleans too */
    lua_Number number;
    const void *address;
  };
} noted;

typedef enum record_kind {
  OF_TABLE,
  OF_COUNTED_TABLE,
  OF_LENGTH,
  OF_GLOBALS,
  OF_FUNCTION
} record_kind;

/* What is noted of one table or function: `n` keys with their values. */
typedef struct record {
  record_kind kind;
  lua_Integer n, entries; /* entries: of a counted table */
} record;

/* Its user value is a list: for each record what it is of, then key, value, key, value, ... */
typedef struct watch {
  const void *kind;
  lua_Integer n_records;
  noted *values;
  record records[];
} watch;

static noted note(lua_State *L, int index) {
  noted result = {.type = lua_type(L, index), .is_integer = lua_isinteger(L, index)};
  if (result.is_integer)
    result.integer = lua_tointeger(L, index);
  else if (result.type == LUA_TNUMBER)
    result.number = lua_tonumber(L, index);
  else if (result.type == LUA_TBOOLEAN)
    result.integer = lua_toboolean(L, index);
  else
    result.address = lua_topointer(L, index);
  return result;
}

/* Whether the value on the top is the one noted; a NaN is never. Of what has an address, nothing
 * else need be asked. */
static bool is_noted(lua_State *L, const noted *value) {
  if (value->type > LUA_TNUMBER)
    return lua_topointer(L, -1) == value->address;
  if (lua_type(L, -1) != value->type)
    return false;
  switch (value->type) {
  case LUA_TNIL: return true;
  case LUA_TBOOLEAN: return lua_toboolean(L, -1) == value->integer;
  case LUA_TLIGHTUSERDATA: return lua_topointer(L, -1) == value->address;
  default:
    return lua_isinteger(L, -1) == value->is_integer &&
           (value->is_integer ? lua_tointeger(L, -1) == value->integer
                              : lua_tonumber(L, -1) == value->number);
  }
}

/* ------------------------------------------------------------------ comparing */

/* Stack: 1 the watch, 2 its list, 3 what the record is of, and some of its values. */
enum { LIST = 2, OF = 3, KEPT = 8 };

static lua_Integer count_entries(lua_State *L, int table) {
  lua_Integer count = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
    count++;
  return count;
}

/* Pushes the present value of the key at `at` of the list. */
static void push_present(lua_State *L, record_kind kind, lua_Integer at) {
  lua_rawgeti(L, LIST, at);
  if (kind != OF_FUNCTION) {
    lua_rawget(L, OF);
  } else if (!lua_getupvalue(L, OF, (int)lua_tointeger(L, -1))) {
    lua_pushnil(L);
  }
}

static bool is_same(lua_State *L, const record *r, const noted *values, lua_Integer at) {
  if (r->kind == OF_LENGTH)
    return r->n == 0 || (lua_Integer)lua_rawlen(L, OF) == values[0].integer;
  for (lua_Integer i = 0; i < r->n; i++, at += 2) {
    push_present(L, r->kind, at);
    if (!is_noted(L, &values[i]))
      return false;
    if (i % KEPT == KEPT - 1)
      lua_settop(L, OF);
  }
  lua_settop(L, OF);
  return r->kind != OF_COUNTED_TABLE || count_entries(L, OF) == r->entries;
}

/** watch:same(): whether nothing differs; false also where that takes a closer look. */
static int watch_same(lua_State *L) {
  const watch *w = cusp_lua_test(L, 1, watch_kind);
  if (!w)
    return cusp_lua_error(L, "same: expected a watch, got %s", cusp_lua_got(L, 1));
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, 1);
  const noted *values = w->values;
  lua_Integer at = 1;
  bool same = true;
  for (const record *r = w->records; same && r < w->records + w->n_records; r++) {
    lua_rawgeti(L, LIST, at);
    same = is_same(L, r, values, at + 1);
    values += r->n;
    at += 1 + 2 * r->n;
    lua_settop(L, LIST);
  }
  lua_pushboolean(L, same);
  return 1;
}

/* ------------------------------------------------------------------ making */

/* Arguments of engine.watch, and what it makes of them. */
enum { RECORDS = 1, ABSENT = 2, MADE = 3, NEW_LIST = 4 };

static void push_field(lua_State *L, const char *name, int type) {
  if (lua_getfield(L, -1, name) != type)
    cusp_lua_error(L, "watch: a record has no '%s'", name);
}

/* Of the record on the top. */
static lua_Integer count_noted(lua_State *L) {
  push_field(L, "copy", LUA_TTABLE);
  lua_Integer count = count_entries(L, lua_gettop(L));
  lua_pop(L, 1);
  return count;
}

static record_kind read_kind(lua_State *L) {
  push_field(L, "kind", LUA_TSTRING);
  const char *name = lua_tostring(L, -1);
  record_kind kind = !strcmp(name, "length")     ? OF_LENGTH
                     : !strcmp(name, "globals")  ? OF_GLOBALS
                     : !strcmp(name, "function") ? OF_FUNCTION
                                                 : OF_TABLE;
  lua_getfield(L, -2, "counted");
  if (kind == OF_TABLE && lua_toboolean(L, -1))
    kind = OF_COUNTED_TABLE;
  lua_pop(L, 2);
  return kind;
}

static void append(lua_State *L, lua_Integer *at) { lua_rawseti(L, NEW_LIST, (*at)++); }

/* Notes the keys and values of the table on the top. */
static void note_copy(lua_State *L, noted *values, lua_Integer *at) {
  int copy = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, copy);) {
    *values = note(L, -1);
    if (lua_rawequal(L, -1, ABSENT))
      *values = (noted){.type = LUA_TNIL};
    values++;
    lua_pushvalue(L, -2);
    append(L, at);
    append(L, at);
  }
}

/* Reads the record on the top. */
static void read_record(lua_State *L, record *r, noted *values, lua_Integer *at) {
  *r = (record){.kind = read_kind(L), .n = count_noted(L)};
  lua_getfield(L, -1, "of");
  if (r->kind == OF_COUNTED_TABLE)
    r->entries = count_entries(L, lua_gettop(L));
  append(L, at);
  push_field(L, "copy", LUA_TTABLE);
  note_copy(L, values, at);
  lua_pop(L, 1);
}

static lua_Integer count_all(lua_State *L, lua_Integer n_records) {
  lua_Integer count = 0;
  for (lua_Integer i = 1; i <= n_records; i++) {
    lua_rawgeti(L, RECORDS, i);
    count += count_noted(L);
    lua_pop(L, 1);
  }
  return count;
}

/**
 * engine.watch({{kind =, of =, copy =, counted =}, ...}, absent): a watch over the values that are
 * in the copies now; `absent` stands for nil there. Of a counted table, new entries count too.
 */
static int new_watch(lua_State *L) {
  luaL_checktype(L, RECORDS, LUA_TTABLE);
  lua_settop(L, ABSENT);
  lua_Integer n_records = (lua_Integer)lua_rawlen(L, RECORDS), n_values = count_all(L, n_records);
  size_t head = sizeof(watch) + (size_t)n_records * sizeof(record);
  watch *w = lua_newuserdatauv(L, head + (size_t)n_values * sizeof(noted), 1);
  *w = (watch){.kind = watch_kind, .n_records = 0, .values = (noted *)((char *)w + head)};
  luaL_setmetatable(L, watch_kind);
  lua_createtable(L, (int)(n_records + 2 * n_values), 0);
  noted *values = w->values;
  for (lua_Integer i = 0, at = 1; i < n_records; i++) {
    lua_rawgeti(L, RECORDS, i + 1);
    read_record(L, &w->records[i], values, &at);
    values += w->records[i].n;
    lua_pop(L, 1);
  }
  lua_setiuservalue(L, MADE, 1);
  w->n_records = n_records;
  return 1;
}

void cusp_lua_open_watch(lua_State *L) {
  static const luaL_Reg metamethods[] = {{NULL, NULL}};
  static const luaL_Reg methods[] = {{"same", watch_same}, {NULL, NULL}};
  static const luaL_Reg functions[] = {{"watch", new_watch}, {NULL, NULL}};
  cusp_lua_new_class(L, watch_kind, metamethods, methods);
  lua_pop(L, 1);
  luaL_setfuncs(L, functions, 0);
}
