/* cusp.native.zlib: inflater() → a stream that takes gzip or zlib data apart, piece by piece. */
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <zlib.h>

#define INFLATER "cusp.zlib.Inflater"
#define GZIP_OR_ZLIB (MAX_WBITS + 32) /* told apart by the first bytes */

typedef struct inflater {
  z_stream stream;
  bool open;
  bool between; /* at the end of a member of a gzip file; another may follow */
} inflater;

/** inflater() → a stream. [-0, +1, e] */
static int new_inflater(lua_State *L) {
  inflater *new = lua_newuserdatauv(L, sizeof *new, 0);
  *new = (inflater){.between = false};
  luaL_setmetatable(L, INFLATER);
  if (inflateInit2(&new->stream, GZIP_OR_ZLIB) != Z_OK)
    return luaL_error(L, "inflate: not enough memory");
  new->open = true;
  return 1;
}

/** One call of zlib's, into what the buffer has free. Raises where the data is damaged. */
static void inflate_into(lua_State *L, inflater *from, char *to, size_t size) {
  if (from->between) {
    inflateReset(&from->stream);
    from->between = false;
  }
  from->stream.next_out = (Bytef *)to;
  from->stream.avail_out = (uInt)size;
  int result = inflate(&from->stream, Z_NO_FLUSH);
  from->between = result == Z_STREAM_END;
  if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
    luaL_error(L, "the compressed data is damaged (%s)",
               from->stream.msg ? from->stream.msg : zError(result));
}

/**
 * stream:feed(bytes) → what they inflate to; whether the data may end here. The result of one call
 * is at most some thousand times its bytes. [-0, +2, e]
 */
static int feed(lua_State *L) {
  inflater *from = luaL_checkudata(L, 1, INFLATER);
  size_t size;
  const char *bytes = luaL_checklstring(L, 2, &size);
  luaL_argcheck(L, from->open, 1, "the stream is closed");
  luaL_argcheck(L, size < UINT32_MAX, 2, "too many bytes at once");
  from->stream.next_in = (Bytef *)bytes;
  from->stream.avail_in = (uInt)size;
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  do {
    char *free = luaL_prepbuffer(&buffer);
    inflate_into(L, from, free, LUAL_BUFFERSIZE);
    luaL_addsize(&buffer, LUAL_BUFFERSIZE - from->stream.avail_out);
  } while (from->stream.avail_in > 0 || (from->stream.avail_out == 0 && !from->between));
  luaL_pushresult(&buffer);
  lua_pushboolean(L, from->between);
  return 2;
}

static int close_inflater(lua_State *L) {
  inflater *from = luaL_checkudata(L, 1, INFLATER);
  if (from->open)
    inflateEnd(&from->stream);
  from->open = false;
  return 0;
}

static const luaL_Reg methods[] = {{"feed", feed}, {"close", close_inflater}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__gc", close_inflater}, {"__close", close_inflater}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"inflater", new_inflater}, {NULL, NULL}};

__attribute__((visibility("default"))) int luaopen_cusp_native_zlib(lua_State *L);

int luaopen_cusp_native_zlib(lua_State *L) {
  luaL_newmetatable(L, INFLATER);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, functions);
  return 1;
}
