/* The plain kind of PNG, which most files are: 8 bits of grey, RGB or RGBA, not interlaced, without
 * a transparent colour. libdeflate inflates it as a whole in half of zlib's time. What is of
 * another kind, or damaged, is left to libpng, which also says what is wrong. */
#include "images.h"

#ifdef CUSP_LIBDEFLATE

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define DEFLATE_RATIO 1032 /* no data become larger than this many times their size */
#define ROOM 4             /* behind the last row, since four bytes are read at a time */

typedef struct plain_png {
  const unsigned char *bytes, *stream; /* the file, and what is deflated in it */
  unsigned char *joined, *rows;        /* the stream of several chunks; a filter and a row each */
  size_t size, stream_bytes, line;
  int64_t height, width;
  int channels;
} plain_png;

static uint32_t read_number(const unsigned char *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* ------------------------------------------------------------------ chunks */

/* The chunk at `at`: its length, and false where it does not fit or its checksum is wrong. */
static bool read_chunk(const plain_png *p, size_t at, size_t *length) {
  if (p->size - at < 12)
    return false;
  *length = read_number(p->bytes + at);
  if (*length > p->size - at - 12)
    return false;
  return libdeflate_crc32(0, p->bytes + at + 4, *length + 4) ==
         read_number(p->bytes + at + 8 + *length);
}

static bool is_chunk(const unsigned char *chunk, const char *name) {
  return memcmp(chunk + 4, name, 4) == 0;
}

static bool read_header(plain_png *p) {
  size_t length;
  const unsigned char *chunk = p->bytes + 8, *header = chunk + 8;
  if (p->size < 8 || !read_chunk(p, 8, &length) || length != 13 || !is_chunk(chunk, "IHDR"))
    return false;
  p->width = read_number(header);
  p->height = read_number(header + 4);
  int type = header[9];
  p->channels = type == 0 ? 1 : type == 2 ? 3 : type == 6 ? 4 : 0;
  bool eight_bits = header[8] == 8 && header[10] == 0 && header[11] == 0 && header[12] == 0;
  if (!eight_bits || !p->channels || p->width < 1 || p->height < 1 ||
      p->width > CUSP_IMAGE_LIMIT / 4 || p->height > CUSP_IMAGE_LIMIT / (4 * p->width + 1))
    return false;
  p->line = (size_t)p->width * (size_t)p->channels;
  return (p->line + 1) * (size_t)p->height <= p->size * DEFLATE_RATIO;
}

/* Adds data to the stream: chunks after the first are joined to it in memory. */
static bool add_data(plain_png *p, const unsigned char *data, size_t length) {
  if (!p->stream) {
    p->stream = data;
    p->stream_bytes = length;
    return true;
  }
  if (!p->joined) {
    p->joined = malloc(p->size);
    if (!p->joined)
      return false;
    memcpy(p->joined, p->stream, p->stream_bytes);
    p->stream = p->joined;
  }
  memcpy(p->joined + p->stream_bytes, data, length);
  p->stream_bytes += length;
  return true;
}

/* Finds the deflated stream; false where a chunk changes what the samples mean, is unknown and
 * needed, or stands in the wrong place. */
static bool read_chunks(plain_png *p) {
  bool ended = false;
  for (size_t at = 33, length; read_chunk(p, at, &length); at += length + 12) {
    const unsigned char *chunk = p->bytes + at;
    if (is_chunk(chunk, "IEND"))
      return p->stream != NULL;
    if (is_chunk(chunk, "tRNS") || (!(chunk[4] & 0x20) && !is_chunk(chunk, "IDAT")))
      return false;
    if (!is_chunk(chunk, "IDAT"))
      ended = p->stream != NULL;
    else if (ended || !add_data(p, chunk + 8, length))
      return false;
  }
  return false;
}

static bool inflate_rows(plain_png *p) {
  size_t bytes = (p->line + 1) * (size_t)p->height, read;
  struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
  p->rows = malloc(bytes + ROOM);
  bool ok = d && p->rows &&
            libdeflate_zlib_decompress_ex(d, p->stream, p->stream_bytes, p->rows, bytes, &read,
                                          NULL) == LIBDEFLATE_SUCCESS &&
            read == p->stream_bytes;
  libdeflate_free_decompressor(d);
  return ok;
}

/* ------------------------------------------------------------------ filters */

typedef unsigned char byte;

static int paeth_of(int left, int up, int corner) {
  int p = up - corner, q = left - corner, from_left = abs(p), from_up = abs(q),
      from_corner = abs(p + q);
  if (from_left <= from_up && from_left <= from_corner)
    return left;
  return from_up <= from_corner ? up : corner;
}

/* One byte after the other. `up` is the row above, NULL above the first. */
static void undo_bytes(int filter, byte *row, const byte *up, size_t line, size_t pixel) {
  for (size_t i = 0; i < line; i++) {
    int left = i >= pixel ? row[i - pixel] : 0, above = up ? up[i] : 0,
        corner = up && i >= pixel ? up[i - pixel] : 0;
    int add = filter == 1 ? left : filter == 3 ? (left + above) / 2 : paeth_of(left, above, corner);
    row[i] = (byte)(row[i] + add);
  }
}

static void undo_up(byte *restrict row, const byte *restrict up, size_t line) {
  for (size_t i = 0; i < line; i++)
    row[i] = (byte)(row[i] + up[i]);
}

#ifdef __SSE2__

/* A pixel of up to four bytes, each in 16 bits. */
static __m128i load_pixel(const byte *from) {
  int bytes;
  memcpy(&bytes, from, sizeof bytes);
  return _mm_unpacklo_epi8(_mm_cvtsi32_si128(bytes), _mm_setzero_si128());
}

static void store_pixel(byte *to, __m128i value, size_t pixel) {
  int bytes = _mm_cvtsi128_si32(_mm_packus_epi16(value, value));
  memcpy(to, &bytes, pixel);
}

static __m128i absolute(__m128i x) {
  return _mm_max_epi16(x, _mm_sub_epi16(_mm_setzero_si128(), x));
}

static __m128i select_where(__m128i mask, __m128i yes, __m128i no) {
  return _mm_or_si128(_mm_and_si128(mask, yes), _mm_andnot_si128(mask, no));
}

static __m128i nearest(__m128i left, __m128i up, __m128i corner) {
  __m128i p = _mm_sub_epi16(up, corner), q = _mm_sub_epi16(left, corner),
          from_corner = absolute(_mm_add_epi16(p, q));
  p = absolute(p);
  q = absolute(q);
  __m128i least = _mm_min_epi16(from_corner, _mm_min_epi16(p, q));
  return select_where(_mm_cmpeq_epi16(least, p), left,
                      select_where(_mm_cmpeq_epi16(least, q), up, corner));
}

/* Pixel after pixel, all channels of one at once; `pixel` is a constant where this is inlined. */
static inline void undo_pixels(int filter, byte *row, const byte *up, size_t line, size_t pixel) {
  __m128i left = _mm_setzero_si128(), corner = left, above = left;
  for (size_t i = 0; i < line; i += pixel) {
    if (up && filter != 1)
      above = load_pixel(up + i);
    __m128i add = filter == 1   ? left
                  : filter == 3 ? _mm_srli_epi16(_mm_add_epi16(left, above), 1)
                                : nearest(left, above, corner);
    corner = above;
    left = _mm_add_epi8(load_pixel(row + i), add);
    store_pixel(row + i, left, pixel);
  }
}

static void undo_filter(int filter, byte *row, const byte *up, size_t line, size_t pixel) {
  if (pixel == 1)
    undo_bytes(filter, row, up, line, 1);
  else if (filter == 1)
    pixel == 3 ? undo_pixels(1, row, up, line, 3) : undo_pixels(1, row, up, line, 4);
  else if (filter == 3)
    pixel == 3 ? undo_pixels(3, row, up, line, 3) : undo_pixels(3, row, up, line, 4);
  else
    pixel == 3 ? undo_pixels(4, row, up, line, 3) : undo_pixels(4, row, up, line, 4);
}

#else

static void undo_filter(int filter, byte *row, const byte *up, size_t line, size_t pixel) {
  undo_bytes(filter, row, up, line, pixel);
}

#endif

static bool undo_filters(plain_png *p) {
  byte *row = p->rows + 1;
  const byte *up = NULL;
  for (int64_t y = 0; y < p->height; y++, up = row, row += p->line + 1) {
    int filter = row[-1];
    if (filter > 4)
      return false;
    if (filter == 2 && up)
      undo_up(row, up, p->line);
    else if (filter != 0 && filter != 2)
      undo_filter(filter, row, up, p->line, (size_t)p->channels);
  }
  return true;
}

/* ------------------------------------------------------------------ the picture */

static void copy_row(unsigned char *to, const unsigned char *from, int64_t width, int have,
                     int wanted) {
  if (have == wanted) {
    memcpy(to, from, (size_t)width * (size_t)have);
    return;
  }
  for (int64_t x = 0; x < width; x++, from += 4, to += 3) /* without alpha */
    memcpy(to, from, 3);
}

static bool fill(plain_png *p, int channels, cusp_image *out, char *message, size_t message_bytes) {
  *out = (cusp_image){p->height, p->width, channels ? channels : p->channels, 1, NULL};
  if (!cusp_image_room(out, message, message_bytes))
    return false;
  size_t line = (size_t)p->width * (size_t)out->channels;
  for (int64_t y = 0; y < p->height; y++)
    copy_row(out->pixels + (size_t)y * line, p->rows + (size_t)y * (p->line + 1) + 1, p->width,
             p->channels, out->channels);
  return true;
}

bool cusp_decode_plain_png(const unsigned char *bytes, size_t size, int channels, cusp_image *out,
                           char *message, size_t message_bytes) {
  plain_png p = {.bytes = bytes, .size = size};
  bool ok = read_header(&p) &&
            (channels == 0 || channels == p.channels || (channels == 3 && p.channels == 4)) &&
            read_chunks(&p) && inflate_rows(&p) && undo_filters(&p) &&
            fill(&p, channels, out, message, message_bytes);
  free(p.joined);
  free(p.rows);
  return ok;
}

#else

bool cusp_decode_plain_png(const unsigned char *bytes, size_t size, int channels, cusp_image *out,
                           char *message, size_t message_bytes) {
  (void)bytes, (void)size, (void)channels, (void)out, (void)message, (void)message_bytes;
  return false;
}

#endif
