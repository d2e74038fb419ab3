/* Whether Lua values that a plan captured are still the same: the quick half of cusp.captures. */
#include "binding.h"

#include <math.h>
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
  OF_SEQUENCE, /* a counted table that lua_next goes through from 1 to n */
  OF_LENGTH,
  OF_GLOBALS,
  OF_FUNCTION
} record_kind;

/* What is noted of one table or function: `n` keys with their values. */
typedef struct record {
  record_kind kind;
  lua_Integer n, entries; /* entries: of a counted table */
  const void *metatable;  /* of a counted table */
} record;

/* Keys that lie on the stack while a watch compares: pushing one from there is quicker than finding
 * it in a list. */
#define MOST_NEAR 128

/* Its user value is a list: the near keys; then for each record what it is of, and key, value, key,
 * value, ... */
typedef struct watch {
  const void *kind;
  lua_Integer n_records, n_near;
  noted *values;
  uint8_t *near; /* by value: the number of its key among the near ones, 0: it is none */
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

/* Whether the value on the top, of that type, is the one noted; a NaN is never. */
static bool is_noted(lua_State *L, int type, const noted *value) {
  if (type != value->type)
    return false;
  if (type == LUA_TNIL)
    return true;
  if (type == LUA_TBOOLEAN)
    return lua_toboolean(L, -1) == value->integer;
  if (type != LUA_TNUMBER)
    return lua_topointer(L, -1) == value->address;
  if (lua_isinteger(L, -1) != value->is_integer)
    return false;
  const lua_Number number = lua_tonumber(L, -1);
  return value->is_integer ? lua_tointeger(L, -1) == value->integer
                           : number == value->number && !signbit(number) == !signbit(value->number);
}

/* ------------------------------------------------------------------ comparing */

/* Stack: 1 the watch, 2 its list, the near keys, what the record is of. */
enum { LIST = 2 };

/* What is compared now. */
typedef struct place {
  const noted *values;
  const uint8_t *near;
  lua_Integer at; /* of the first key, in the list */
  int of;         /* on the stack */
} place;

/* Values that are compared before the stack is cleared of them. */
#define AT_ONCE 16

static lua_Integer count_entries(lua_State *L, int table) {
  lua_Integer count = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
    count++;
  return count;
}

static const void *metatable_of(lua_State *L, int table) {
  if (!lua_getmetatable(L, table))
    return NULL;
  const void *address = lua_topointer(L, -1);
  lua_pop(L, 1);
  return address;
}

static void push_key(lua_State *L, const place *p, lua_Integer i) {
  if (p->near[i])
    lua_pushvalue(L, LIST + p->near[i]);
  else
    lua_rawgeti(L, LIST, p->at + 2 * i);
}

static bool is_same_table(lua_State *L, const place *p, lua_Integer n) {
  for (lua_Integer i = 0; i < n; i++) {
    push_key(L, p, i);
    if (!is_noted(L, lua_rawget(L, p->of), &p->values[i]))
      return false;
    if (i % AT_ONCE == AT_ONCE - 1)
      lua_settop(L, p->of);
  }
  lua_settop(L, p->of);
  return true;
}

static bool is_same_sequence(lua_State *L, const place *p, lua_Integer n) {
  lua_Integer i = 0;
  for (lua_pushnil(L); lua_next(L, p->of); lua_pop(L, 1), i++)
    if (i == n || !lua_isinteger(L, -2) || lua_tointeger(L, -2) != i + 1 ||
        !is_noted(L, lua_type(L, -1), &p->values[i]))
      return false;
  return i == n;
}

static bool is_same_function(lua_State *L, const place *p, lua_Integer n) {
  for (lua_Integer i = 0; i < n; i++) {
    push_key(L, p, i);
    if (!lua_getupvalue(L, p->of, (int)lua_tointeger(L, -1)))
      lua_pushnil(L);
    if (!is_noted(L, lua_type(L, -1), &p->values[i]))
      return false;
    lua_settop(L, p->of);
  }
  return true;
}

static bool is_same(lua_State *L, const record *r, const place *p) {
  const bool counted = r->kind == OF_COUNTED_TABLE || r->kind == OF_SEQUENCE;
  if (counted && metatable_of(L, p->of) != r->metatable)
    return false;
  switch (r->kind) {
  case OF_LENGTH: return r->n == 0 || (lua_Integer)lua_rawlen(L, p->of) == p->values[0].integer;
  case OF_SEQUENCE: return is_same_sequence(L, p, r->n);
  case OF_FUNCTION: return is_same_function(L, p, r->n);
  case OF_COUNTED_TABLE: return is_same_table(L, p, r->n) && count_entries(L, p->of) == r->entries;
  default: return is_same_table(L, p, r->n);
  }
}

static bool all_are_same(lua_State *L, const watch *w) {
  place p = {w->values, w->near, w->n_near + 1, LIST + (int)w->n_near + 1};
  for (const record *r = w->records; r < w->records + w->n_records; r++) {
    const lua_Integer record_at = p.at++;
    if (r->n > 0 || r->kind == OF_COUNTED_TABLE || r->kind == OF_SEQUENCE) {
      lua_rawgeti(L, LIST, record_at);
      if (!is_same(L, r, &p))
        return false;
      lua_settop(L, p.of - 1);
    }
    p.values += r->n;
    p.near += r->n;
    p.at += 2 * r->n;
  }
  return true;
}

/** watch:same(): whether nothing differs; false also where that takes a closer look. */
static int watch_same(lua_State *L) {
  const watch *w = cusp_lua_test(L, 1, watch_kind);
  if (!w)
    return cusp_lua_error(L, "same: expected a watch, got %s", cusp_lua_got(L, 1));
  luaL_checkstack(L, MOST_NEAR + 2 * AT_ONCE, NULL);
  lua_settop(L, 1);
  lua_getiuservalue(L, 1, 1);
  for (lua_Integer i = 1; i <= w->n_near; i++)
    lua_rawgeti(L, LIST, i);
  lua_pushboolean(L, all_are_same(L, w));
  return 1;
}

/* ------------------------------------------------------------------ making */

/* Arguments of engine.watch, and what it makes of them; NEAR: key → its number. */
enum { RECORDS = 1, ABSENT = 2, MADE = 3, NEW_LIST = 4, NEAR = 5 };

/* What is being made: where the next value and list entry go. */
typedef struct making {
  watch *watch;
  noted *values;
  uint8_t *near;
  lua_Integer at;
} making;

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

/* Whether lua_next goes through the table from 1 to n. */
static bool is_sequence(lua_State *L, int table, lua_Integer n) {
  lua_Integer i = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1), i++)
    if (i == n || !lua_isinteger(L, -2) || lua_tointeger(L, -2) != i + 1) {
      lua_pop(L, 2);
      return false;
    }
  return i == n;
}

static void append(lua_State *L, making *m) { lua_rawseti(L, NEW_LIST, m->at++); }

/* Notes the key and the value on the top; takes the value. */
static void note_entry(lua_State *L, making *m) {
  *m->values = note(L, -1);
  if (lua_rawequal(L, -1, ABSENT))
    *m->values = (noted){.type = LUA_TNIL};
  m->values++;
  lua_pushvalue(L, -2);
  lua_rawget(L, NEAR);
  *m->near++ = (uint8_t)lua_tointeger(L, -1);
  lua_pop(L, 1);
  lua_pushvalue(L, -2);
  append(L, m);
  append(L, m);
}

/* Notes what is in the table on the top. */
static void note_copy(lua_State *L, making *m, const record *r) {
  const int copy = lua_gettop(L);
  for (lua_Integer i = 1; r->kind == OF_SEQUENCE && i <= r->n; i++) {
    lua_pushinteger(L, i);
    lua_rawgeti(L, copy, i);
    note_entry(L, m);
    lua_pop(L, 1);
  }
  if (r->kind != OF_SEQUENCE)
    for (lua_pushnil(L); lua_next(L, copy);)
      note_entry(L, m);
}

/* Reads the record on the top. */
static void read_record(lua_State *L, making *m) {
  record *r = &m->watch->records[m->watch->n_records++];
  *r = (record){.kind = read_kind(L), .n = count_noted(L)};
  lua_getfield(L, -1, "of");
  if (r->kind == OF_COUNTED_TABLE) {
    r->entries = count_entries(L, lua_gettop(L));
    r->metatable = metatable_of(L, lua_gettop(L));
    if (r->n == r->entries && is_sequence(L, lua_gettop(L), r->n))
      r->kind = OF_SEQUENCE;
  }
  append(L, m);
  push_field(L, "copy", LUA_TTABLE);
  note_copy(L, m, r);
  lua_pop(L, 1);
}

static lua_Integer count_all(lua_State *L, lua_Integer n_records) {
  lua_Integer count = 0;
  for (lua_Integer i = 0; i < n_records; i++) {
    lua_rawgeti(L, RECORDS, i + 1);
    count += count_noted(L);
    lua_pop(L, 1);
  }
  return count;
}

/* Numbers the names among the keys of the table on the top, on from `count`. */
static lua_Integer number_names(lua_State *L, lua_Integer count) {
  const int copy = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, copy); lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    const bool is_new = lua_rawget(L, NEAR) == LUA_TNIL && lua_type(L, -3) == LUA_TSTRING;
    lua_pop(L, 1);
    if (!is_new || count == MOST_NEAR)
      continue;
    lua_pushvalue(L, -2);
    lua_pushinteger(L, ++count);
    lua_rawset(L, NEAR);
  }
  return count;
}

/* Fills NEAR, and the list with the near keys. */
static lua_Integer choose_near(lua_State *L, lua_Integer n_records) {
  lua_Integer count = 0;
  for (lua_Integer i = 0; i < n_records; i++) {
    lua_rawgeti(L, RECORDS, i + 1);
    push_field(L, "copy", LUA_TTABLE);
    count = number_names(L, count);
    lua_pop(L, 2);
  }
  for (lua_pushnil(L); lua_next(L, NEAR);) {
    lua_pushvalue(L, -2);
    lua_rawseti(L, NEW_LIST, lua_tointeger(L, -2));
    lua_pop(L, 1);
  }
  return count;
}

/* Pushes a watch with room for its values, and its list. */
static making new_parts(lua_State *L, lua_Integer n_records, lua_Integer n_values) {
  const size_t head = sizeof(watch) + (size_t)n_records * sizeof(record),
               values = (size_t)n_values * sizeof(noted);
  watch *w = lua_newuserdatauv(L, head + values + (size_t)n_values, 1);
  *w = (watch){.kind = watch_kind,
               .values = (noted *)((char *)w + head),
               .near = (uint8_t *)w + head + values};
  luaL_setmetatable(L, watch_kind);
  lua_createtable(L, (int)(MOST_NEAR + n_records + 2 * n_values), 0);
  lua_newtable(L);
  return (making){w, w->values, w->near, 1};
}

/**
 * engine.watch({{kind =, of =, copy =, counted =}, ...}, absent): a watch over the values that are
 * in the copies now; `absent` stands for nil there. Of a counted table, new entries count too.
 */
static int new_watch(lua_State *L) {
  luaL_checktype(L, RECORDS, LUA_TTABLE);
  lua_settop(L, ABSENT);
  lua_Integer n_records = (lua_Integer)lua_rawlen(L, RECORDS);
  making m = new_parts(L, n_records, count_all(L, n_records));
  m.watch->n_near = choose_near(L, n_records);
  m.at += m.watch->n_near;
  for (lua_Integer i = 0; i < n_records; i++) {
    lua_rawgeti(L, RECORDS, i + 1);
    read_record(L, &m);
    lua_settop(L, NEAR);
  }
  lua_pushvalue(L, NEW_LIST);
  lua_setiuservalue(L, MADE, 1);
  lua_settop(L, MADE);
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
