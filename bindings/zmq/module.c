/**
 * cusp.native.zmq: context() → a context of ZeroMQ, with sockets and the output thread;
 * poll(sockets, milliseconds) → which have a message; sign(key, parts) → HMAC-SHA256 in hexadecimal
 * digits.
 */
#include "native.h"

#include <errno.h>
#include <nettle/hmac.h>
#include <string.h>

void cusp_sign(char signature[CUSP_SIGNATURE_SIZE], cusp_piece key, const cusp_piece *pieces,
               int count) {
  struct hmac_sha256_ctx state;
  uint8_t digest[SHA256_DIGEST_SIZE];
  signature[0] = '\0';
  if (key.size == 0)
    return;
  hmac_sha256_set_key(&state, key.size, (const uint8_t *)key.data);
  for (int i = 0; i < count; i++)
    hmac_sha256_update(&state, pieces[i].size, (const uint8_t *)pieces[i].data);
  hmac_sha256_digest(&state, sizeof digest, digest);
  for (size_t i = 0; i < sizeof digest; i++) {
    signature[2 * i] = "0123456789abcdef"[digest[i] >> 4];
    signature[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
  }
  signature[2 * sizeof digest] = '\0';
}

int cusp_zmq_error(lua_State *L, const char *what) {
  return luaL_error(L, "zmq: %s: %s", what, zmq_strerror(zmq_errno()));
}

/** sign(key, parts): the four parts of a message, or any number. */
static int sign(lua_State *L) {
  enum { MOST = 16 };
  cusp_piece key, pieces[MOST];
  char signature[CUSP_SIGNATURE_SIZE];
  key.data = luaL_checklstring(L, 1, &key.size);
  luaL_checktype(L, 2, LUA_TTABLE);
  int count = (int)lua_rawlen(L, 2);
  luaL_argcheck(L, count <= MOST, 2, "too many parts");
  luaL_checkstack(L, count, NULL);
  for (int i = 0; i < count; i++) {
    luaL_argcheck(L, lua_rawgeti(L, 2, i + 1) == LUA_TSTRING, 2, "expected strings");
    pieces[i].data = lua_tolstring(L, -1, &pieces[i].size);
  }
  cusp_sign(signature, key, pieces, count);
  lua_pushstring(L, signature);
  return 1;
}

__attribute__((visibility("default"))) int luaopen_cusp_native_zmq(lua_State *L);

int luaopen_cusp_native_zmq(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"context", cusp_new_context}, {"poll", cusp_zmq_poll}, {"sign", sign}, {NULL, NULL}};
  cusp_add_socket_classes(L);
  cusp_add_output_class(L);
  luaL_newlib(L, functions);
  return 1;
}
