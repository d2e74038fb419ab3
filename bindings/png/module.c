/* cusp.native.png: encode(bytes, width, height, channels) → a PNG file as a string. */
#include <lauxlib.h>
#include <lua.h>
#include <png.h>

static const png_uint_32 formats[] = {0, PNG_FORMAT_GRAY, PNG_FORMAT_GA, PNG_FORMAT_RGB,
                                      PNG_FORMAT_RGBA};

/**
 * encode(bytes, width, height, channels) → PNG. `bytes` is [height, width, channels], 8 bits each;
 * 1 to 4 channels: grey, grey and alpha, RGB, RGBA. [-0, +1, e]
 */
static int encode(lua_State *L) {
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  lua_Integer width = luaL_checkinteger(L, 2), height = luaL_checkinteger(L, 3),
              channels = luaL_checkinteger(L, 4);
  luaL_argcheck(L, width > 0 && width < 1 << 20, 2, "expected a width from 1 to 1048575");
  luaL_argcheck(L, height > 0 && height < 1 << 20, 3, "expected a height from 1 to 1048575");
  luaL_argcheck(L, channels >= 1 && channels <= 4, 4, "expected 1 to 4 channels");
  luaL_argcheck(L, (size_t)(width * height * channels) == size, 1,
                "the bytes do not fit width, height and channels");
  png_image image = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)width,
                     .height = (png_uint_32)height,
                     .format = formats[channels]};
  png_alloc_size_t most = PNG_IMAGE_PNG_SIZE_MAX(image);
  luaL_Buffer buffer;
  char *to = luaL_buffinitsize(L, &buffer, most);
  if (!png_image_write_to_memory(&image, to, &most, 0, bytes, 0, NULL))
    return luaL_error(L, "png: %s", image.message);
  luaL_pushresultsize(&buffer, most);
  return 1;
}

static const luaL_Reg functions[] = {{"encode", encode}, {NULL, NULL}};

__attribute__((visibility("default"))) int luaopen_cusp_native_png(lua_State *L);

int luaopen_cusp_native_png(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
