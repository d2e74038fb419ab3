/**
 * cusp.native.cairo: canvas(format, width, height, scale) → a canvas to draw on; canvas:finish()
 * gives the picture's bytes. Lengths are in units of 1/72 inch, (0, 0) is at the upper left; a
 * colour is red, green, blue and alpha from 0 to 1.
 */
#include <cairo-svg.h>
#include <cairo.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CANVAS "cusp.cairo.Canvas"
#define LARGEST 20000 /* pixels on a side; cairo's own limit is 32767 */

typedef struct canvas {
  cairo_surface_t *surface;
  cairo_t *context;
  unsigned char *bytes; /* the finished picture */
  size_t count, capacity;
} canvas;

/* ------------------------------------------------------------------ making and finishing */

static cairo_status_t append(void *closure, const unsigned char *data, unsigned int length) {
  canvas *to = closure;
  if (length > to->capacity - to->count) {
    size_t capacity = 2 * to->capacity + length;
    unsigned char *bytes = realloc(to->bytes, capacity);
    if (!bytes)
      return CAIRO_STATUS_WRITE_ERROR;
    to->bytes = bytes;
    to->capacity = capacity;
  }
  memcpy(to->bytes + to->count, data, length);
  to->count += length;
  return CAIRO_STATUS_SUCCESS;
}

static int release(lua_State *L) {
  canvas *self = luaL_checkudata(L, 1, CANVAS);
  if (self->context)
    cairo_destroy(self->context);
  if (self->surface)
    cairo_surface_destroy(self->surface); /* an SVG surface writes its end here */
  free(self->bytes);
  memset(self, 0, sizeof *self);
  return 0;
}

static void check(lua_State *L, cairo_status_t status) {
  if (status != CAIRO_STATUS_SUCCESS)
    luaL_error(L, "cairo: %s", cairo_status_to_string(status));
}

static canvas *check_canvas(lua_State *L) {
  canvas *self = luaL_checkudata(L, 1, CANVAS);
  luaL_argcheck(L, self->context, 1, "the canvas is finished");
  return self;
}

/** canvas("png" or "svg", width, height, pixels of a unit) → canvas. [-0, +1, e] */
static int new_canvas(lua_State *L) {
  static const char *const formats[] = {"png", "svg", NULL};
  int svg = luaL_checkoption(L, 1, NULL, formats);
  double width = luaL_checknumber(L, 2), height = luaL_checknumber(L, 3),
         scale = svg ? 1 : luaL_optnumber(L, 4, 1);
  luaL_argcheck(L, width * scale >= 1 && width * scale <= LARGEST, 2,
                "a picture is 1 to 20000 pixels wide");
  luaL_argcheck(L, height * scale >= 1 && height * scale <= LARGEST, 3,
                "a picture is 1 to 20000 pixels high");
  canvas *self = lua_newuserdatauv(L, sizeof *self, 0);
  memset(self, 0, sizeof *self);
  luaL_setmetatable(L, CANVAS);
  if (svg)
    self->surface = cairo_svg_surface_create_for_stream(append, self, width, height);
  else
    self->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)(width * scale + 0.5),
                                               (int)(height * scale + 0.5));
  check(L, cairo_surface_status(self->surface));
  self->context = cairo_create(self->surface);
  check(L, cairo_status(self->context));
  cairo_scale(self->context, scale, scale);
  cairo_set_line_join(self->context, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap(self->context, CAIRO_LINE_CAP_ROUND);
  return 1;
}

/** canvas:finish() → the picture as a string; nothing more can be drawn. [-0, +1, e] */
static int finish(lua_State *L) {
  canvas *self = check_canvas(L);
  check(L, cairo_status(self->context));
  if (cairo_surface_get_type(self->surface) == CAIRO_SURFACE_TYPE_IMAGE)
    check(L, cairo_surface_write_to_png_stream(self->surface, append, self));
  cairo_destroy(self->context);
  self->context = NULL;
  cairo_surface_finish(self->surface);
  check(L, cairo_surface_status(self->surface));
  lua_pushlstring(L, (const char *)self->bytes, self->count);
  return 1;
}

/* ------------------------------------------------------------------ drawing */

/** The colour at `index`: a list of three or four numbers. */
static void set_color(lua_State *L, const canvas *self, int index) {
  double part[4] = {0, 0, 0, 1};
  luaL_checktype(L, index, LUA_TTABLE);
  for (int i = 0; i < 4; i++) {
    if (lua_rawgeti(L, index, i + 1) == LUA_TNUMBER)
      part[i] = lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  cairo_set_source_rgba(self->context, part[0], part[1], part[2], part[3]);
}

/** canvas:line({x1, y1, x2, y2, ...}, color, width, dash): connects points. [-0, +0, e] */
static int line(lua_State *L) {
  canvas *self = check_canvas(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  set_color(L, self, 3);
  double dash = luaL_optnumber(L, 5, 0);
  cairo_set_line_width(self->context, luaL_checknumber(L, 4));
  cairo_set_dash(self->context, &dash, dash > 0, 0);
  lua_Integer count = (lua_Integer)lua_rawlen(L, 2) / 2;
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, 2, 2 * i - 1);
    lua_rawgeti(L, 2, 2 * i);
    cairo_line_to(self->context, lua_tonumber(L, -2), lua_tonumber(L, -1));
    lua_pop(L, 2);
  }
  cairo_stroke(self->context);
  return 0;
}

/** canvas:rectangle(x, y, width, height, color): filled. [-0, +0, e] */
static int rectangle(lua_State *L) {
  canvas *self = check_canvas(L);
  cairo_rectangle(self->context, luaL_checknumber(L, 2), luaL_checknumber(L, 3),
                  luaL_checknumber(L, 4), luaL_checknumber(L, 5));
  set_color(L, self, 6);
  cairo_fill(self->context);
  return 0;
}

/** canvas:dot(x, y, radius, color): a filled circle. [-0, +0, e] */
static int dot(lua_State *L) {
  canvas *self = check_canvas(L);
  cairo_new_sub_path(self->context);
  cairo_arc(self->context, luaL_checknumber(L, 2), luaL_checknumber(L, 3), luaL_checknumber(L, 4),
            0, 6.283185307179586);
  set_color(L, self, 5);
  cairo_fill(self->context);
  return 0;
}

/** canvas:clip(x, y, width, height): draws inside alone until canvas:unclip(). [-0, +0, e] */
static int clip(lua_State *L) {
  canvas *self = check_canvas(L);
  cairo_save(self->context);
  cairo_rectangle(self->context, luaL_checknumber(L, 2), luaL_checknumber(L, 3),
                  luaL_checknumber(L, 4), luaL_checknumber(L, 5));
  cairo_clip(self->context);
  return 0;
}

static int unclip(lua_State *L) {
  cairo_restore(check_canvas(L)->context);
  return 0;
}

static void set_font(lua_State *L, const canvas *self, int size, int bold) {
  cairo_select_font_face(self->context, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                         lua_toboolean(L, bold) ? CAIRO_FONT_WEIGHT_BOLD
                                                : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(self->context, luaL_checknumber(L, size));
}

/** canvas:extent(text, size, bold) → its width. [-0, +1, e] */
static int extent(lua_State *L) {
  canvas *self = check_canvas(L);
  const char *text = luaL_checkstring(L, 2);
  cairo_text_extents_t extents;
  set_font(L, self, 3, 4);
  cairo_text_extents(self->context, text, &extents);
  check(L, cairo_status(self->context));
  lua_pushnumber(L, extents.x_advance);
  return 1;
}

/** canvas:text(x, y, text, size, color, align, bold): the base line at y; `align` is 0 (left of the
 * text at x) to 1 (right). [-0, +0, e] */
static int text(lua_State *L) {
  canvas *self = check_canvas(L);
  double x = luaL_checknumber(L, 2), y = luaL_checknumber(L, 3);
  const char *shown = luaL_checkstring(L, 4);
  set_color(L, self, 6);
  set_font(L, self, 5, 8);
  cairo_text_extents_t extents;
  cairo_text_extents(self->context, shown, &extents);
  cairo_move_to(self->context, x - luaL_optnumber(L, 7, 0) * extents.x_advance, y);
  cairo_show_text(self->context, shown);
  cairo_new_path(self->context);
  check(L, cairo_status(self->context));
  return 0;
}

/* ------------------------------------------------------------------ pictures */

/** Red, green and blue of `count` pixels, a byte each, in cairo's order, or back. */
static void to_words(uint32_t *to, const unsigned char *from, size_t count) {
  for (size_t i = 0; i < count; i++)
    to[i] = 0xff000000u | (uint32_t)from[3 * i] << 16 | (uint32_t)from[3 * i + 1] << 8 |
            from[3 * i + 2];
}

static void to_bytes(char *to, const uint32_t *from, size_t count) {
  for (size_t i = 0; i < count; i++) {
    to[3 * i] = (char)(from[i] >> 16);
    to[3 * i + 1] = (char)(from[i] >> 8);
    to[3 * i + 2] = (char)from[i];
  }
}

/** canvas:image(pixels, columns, rows, x, y, width, height): a picture of three bytes a pixel,
 * stretched to a rectangle. [-0, +0, e] */
static int image(lua_State *L) {
  canvas *self = check_canvas(L);
  size_t length;
  const char *pixels = luaL_checklstring(L, 2, &length);
  lua_Integer columns = luaL_checkinteger(L, 3), rows = luaL_checkinteger(L, 4);
  double x = luaL_checknumber(L, 5), y = luaL_checknumber(L, 6), width = luaL_checknumber(L, 7),
         height = luaL_checknumber(L, 8);
  luaL_argcheck(L, columns >= 1 && columns <= LARGEST, 3, "a picture is 1 to 20000 pixels wide");
  luaL_argcheck(L, rows >= 1 && rows <= LARGEST, 4, "a picture is 1 to 20000 pixels high");
  luaL_argcheck(L, length == (size_t)(3 * columns * rows), 2, "three bytes for each pixel");
  cairo_surface_t *picture =
      cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)columns, (int)rows);
  cairo_status_t status = cairo_surface_status(picture);
  if (status == CAIRO_STATUS_SUCCESS) {
    unsigned char *data = cairo_image_surface_get_data(picture);
    int stride = cairo_image_surface_get_stride(picture);
    for (lua_Integer row = 0; row < rows; row++)
      to_words((uint32_t *)(void *)(data + row * stride),
               (const unsigned char *)pixels + 3 * columns * row, (size_t)columns);
    cairo_surface_mark_dirty(picture);
    cairo_save(self->context);
    cairo_translate(self->context, x, y);
    cairo_scale(self->context, width / (double)columns, height / (double)rows);
    cairo_set_source_surface(self->context, picture, 0, 0);
    cairo_pattern_set_extend(cairo_get_source(self->context), CAIRO_EXTEND_PAD);
    cairo_rectangle(self->context, 0, 0, (double)columns, (double)rows);
    cairo_fill(self->context);
    cairo_restore(self->context);
    status = cairo_status(self->context);
  }
  cairo_surface_destroy(picture);
  check(L, status);
  return 0;
}

/** canvas:pixels() → three bytes for each pixel of a canvas for PNG, columns, rows. [-0, +3, e] */
static int pixels(lua_State *L) {
  canvas *self = check_canvas(L);
  check(L, cairo_status(self->context));
  luaL_argcheck(L, cairo_surface_get_type(self->surface) == CAIRO_SURFACE_TYPE_IMAGE, 1,
                "a canvas for SVG has no pixels");
  cairo_surface_flush(self->surface);
  const unsigned char *data = cairo_image_surface_get_data(self->surface);
  int columns = cairo_image_surface_get_width(self->surface),
      rows = cairo_image_surface_get_height(self->surface),
      stride = cairo_image_surface_get_stride(self->surface);
  luaL_Buffer buffer;
  char *to = luaL_buffinitsize(L, &buffer, 3 * (size_t)columns * (size_t)rows);
  for (int row = 0; row < rows; row++)
    to_bytes(to + 3 * (size_t)columns * (size_t)row,
             (const uint32_t *)(const void *)(data + (size_t)row * (size_t)stride),
             (size_t)columns);
  luaL_pushresultsize(&buffer, 3 * (size_t)columns * (size_t)rows);
  lua_pushinteger(L, columns);
  lua_pushinteger(L, rows);
  return 3;
}

static const luaL_Reg methods[] = {
    {"line", line},     {"rectangle", rectangle}, {"dot", dot},       {"clip", clip},
    {"unclip", unclip}, {"text", text},           {"extent", extent}, {"image", image},
    {"pixels", pixels}, {"finish", finish},       {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", release}, {"__close", release}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"canvas", new_canvas}, {NULL, NULL}};

__attribute__((visibility("default"))) int luaopen_cusp_native_cairo(lua_State *L);

int luaopen_cusp_native_cairo(lua_State *L) {
  luaL_newmetatable(L, CANVAS);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, functions);
  return 1;
}
