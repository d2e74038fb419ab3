/* What images.so offers, and which decoder a file is for. */
#include "images.h"

#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cusp_image_room(cusp_image *out, char *message, size_t message_bytes) {
  int pixel = out->channels * out->depth;
  if (out->height < 1 || out->width < 1 || out->height > CUSP_IMAGE_LIMIT / out->width / pixel) {
    snprintf(message, message_bytes, "%lld x %lld pixels are not supported", (long long)out->height,
             (long long)out->width);
    return false;
  }
  out->pixels = malloc((size_t)(out->height * out->width * pixel));
  if (!out->pixels)
    snprintf(message, message_bytes, "out of memory for %lld x %lld pixels", (long long)out->height,
             (long long)out->width);
  return out->pixels != NULL;
}

static void release(cusp_image *image) {
  free(image->pixels);
  image->pixels = NULL;
}

static bool decode(const unsigned char *bytes, size_t size, cusp_image_style style, int channels,
                   cusp_image *out, char *message, size_t message_bytes) {
  static const unsigned char png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'},
                             jpeg[] = {0xff, 0xd8, 0xff};
  bool ok = false;
  memset(out, 0, sizeof *out);
  snprintf(message, message_bytes, "neither PNG nor JPEG");
  if (size >= sizeof png && memcmp(bytes, png, sizeof png) == 0)
    ok = cusp_decode_png(bytes, size, style, channels, out, message, message_bytes);
  else if (size >= sizeof jpeg && memcmp(bytes, jpeg, sizeof jpeg) == 0)
    ok = cusp_decode_jpeg(bytes, size, style, channels, out, message, message_bytes);
  else if (size == 0)
    snprintf(message, message_bytes, "the file is empty");
  if (!ok)
    release(out);
  return ok;
}

CUSP_EXPORT extern const cusp_images cusp_images_table;
const cusp_images cusp_images_table = {
    .version = CUSP_IMAGES_VERSION, .decode = decode, .release = release};

/* As a Lua module it is empty: its table is for the engine's threads. */
CUSP_EXPORT int luaopen_cusp_native_images(lua_State *L);
int luaopen_cusp_native_images(lua_State *L) {
  lua_newtable(L);
  return 1;
}
