/* tf.train.Example from its bytes, without making anything of what is not asked for. Field numbers
 * are the format's. */
#include "example.h"

#include "tfrecord.h"

#include "../base/memory.h"
#include "bytes.h"

#include <string.h>

typedef struct span {
  const unsigned char *at, *end;
} span;

enum { VARINT = 0, FIXED64 = 1, DELIMITED = 2, FIXED32 = 5 };

static cusp_status malformed(void) {
  return cusp_fail(CUSP_EIO, "not a tf.train.Example: its bytes are malformed");
}

static bool read_varint(span *s, uint64_t *value) {
  *value = 0;
  for (int shift = 0; shift < 64 && s->at < s->end; shift += 7) {
    unsigned char byte = *s->at++;
    *value |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80))
      return true;
  }
  return false;
}

/* One field: `inside` are its bytes (of a delimited or fixed one), `value` its number (of a
 * varint). */
static bool read_field(span *s, int *number, int *wire, span *inside, uint64_t *value) {
  uint64_t tag, length = 0;
  if (!read_varint(s, &tag))
    return false;
  *number = (int)(tag >> 3);
  *wire = (int)(tag & 7);
  *value = 0;
  switch (*wire) {
  case VARINT: *inside = (span){s->at, s->at}; return read_varint(s, value);
  case FIXED64: length = 8; break;
  case FIXED32: length = 4; break;
  case DELIMITED:
    if (!read_varint(s, &length))
      return false;
    break;
  default: return false;
  }
  if (length > (uint64_t)(s->end - s->at))
    return false;
  *inside = (span){s->at, s->at + length};
  s->at += length;
  return true;
}

/* The last delimited field of that number; found.at is NULL where there is none. */
static bool find_field(span s, int wanted, span *found) {
  int number, wire;
  span inside;
  uint64_t value;
  *found = (span){NULL, NULL};
  while (s.at < s.end) {
    if (!read_field(&s, &number, &wire, &inside, &value))
      return false;
    if (number == wanted && wire == DELIMITED)
      *found = inside;
  }
  return true;
}

/* ------------------------------------------------------------------ numbers */

typedef struct sink {
  const cusp_feature *feature;
  char *to;
  int64_t stored, room;
  bool overflowed; /* an integer did not fit the feature's dtype */
} sink;

static void store_integer(sink *s, int64_t value) {
  s->overflowed = s->overflowed || !cusp_dtype_holds_int(s->feature->dtype, value);
  if (s->stored < s->room)
    cusp_store_int(s->feature->dtype,
                   s->to + (size_t)s->stored * cusp_dtype_size(s->feature->dtype), value);
  s->stored++;
}

static void store_float(sink *s, const unsigned char *bytes) {
  float value;
  uint32_t word =
      bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
  memcpy(&value, &word, sizeof value);
  if (s->stored < s->room)
    cusp_store_double(s->feature->dtype,
                      s->to + (size_t)s->stored * cusp_dtype_size(s->feature->dtype), value);
  s->stored++;
}

/* Numbers are packed, or one to a field. */
static bool take_numbers(sink *s, span list, bool floats) {
  int number, wire;
  span inside;
  uint64_t value;
  while (list.at < list.end) {
    if (!read_field(&list, &number, &wire, &inside, &value))
      return false;
    if (number != 1)
      continue;
    if (!floats && wire == VARINT)
      store_integer(s, (int64_t)value);
    while (floats && inside.end - inside.at >= 4) {
      store_float(s, inside.at);
      inside.at += 4;
    }
    while (!floats && wire == DELIMITED && inside.at < inside.end) {
      if (!read_varint(&inside, &value))
        return false;
      store_integer(s, (int64_t)value);
    }
  }
  return true;
}

static cusp_status parse_numbers(const cusp_feature *f, span feature, void *out) {
  span floats, integers;
  sink s = {.feature = f, .to = out, .room = cusp_shape_count(&f->shape)};
  if (!find_field(feature, 2, &floats) || !find_field(feature, 3, &integers))
    return malformed();
  if (!floats.at && !integers.at)
    return cusp_fail(CUSP_EIO, "feature '%s': expected numbers, got bytes", f->name);
  if (floats.at && !cusp_dtype_is_float(f->dtype))
    return cusp_fail(CUSP_EIO, "feature '%s': expected %s, got floats", f->name,
                     cusp_dtype_name(f->dtype));
  if (!take_numbers(&s, floats.at ? floats : integers, floats.at != NULL))
    return malformed();
  if (s.overflowed)
    return cusp_fail(CUSP_EIO, "feature '%s': holds an integer that does not fit %s", f->name,
                     cusp_dtype_name(f->dtype));
  if (s.stored != s.room)
    return cusp_fail(CUSP_EIO, "feature '%s': expected %lld numbers for shape %s, got %lld",
                     f->name, (long long)s.room, cusp_shape_text(&f->shape), (long long)s.stored);
  return CUSP_OK;
}

/* ------------------------------------------------------------------ bytes */

static cusp_status parse_raw(const cusp_feature *f, span bytes, void *out) {
  size_t wanted = (size_t)cusp_shape_count(&f->shape) * cusp_dtype_size(f->dtype),
         got = (size_t)(bytes.end - bytes.at);
  if (got != wanted)
    return cusp_fail(CUSP_EIO, "feature '%s': expected %zu bytes for %s %s, got %zu", f->name,
                     wanted, cusp_dtype_name(f->dtype), cusp_shape_text(&f->shape), got);
  memcpy(out, bytes.at, got);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  cusp_swap_bytes(out, got, cusp_dtype_size(f->dtype));
#endif
  return CUSP_OK;
}

static cusp_status parse_image(const cusp_feature *f, span bytes, void *out) {
  const cusp_images *images = cusp_images_load();
  cusp_image image;
  char message[256] = "";
  if (!images)
    return CUSP_EBACKEND;
  if (!images->decode(bytes.at, (size_t)(bytes.end - bytes.at), CUSP_STYLE_TENSORFLOW,
                      f->layout.channels, &image, message, sizeof message))
    return cusp_fail(CUSP_EIO, "feature '%s': %s", f->name, message);
  cusp_status status = cusp_image_resize(&image, &f->layout, out);
  images->release(&image);
  return status;
}

static cusp_status parse_bytes(const cusp_feature *f, span feature, void *out) {
  span list, bytes;
  if (!find_field(feature, 1, &list) || (list.at && !find_field(list, 1, &bytes)))
    return malformed();
  if (!list.at || !bytes.at)
    return cusp_fail(CUSP_EIO, "feature '%s': expected a byte string", f->name);
  return f->kind == CUSP_FEATURE_RAW ? parse_raw(f, bytes, out) : parse_image(f, bytes, out);
}

/* ------------------------------------------------------------------ features */

static cusp_status fill_missing(const cusp_feature *f, void *out) {
  if (f->required)
    return cusp_fail(CUSP_EIO, "feature '%s' is missing", f->name);
  if (!cusp_dtype_holds_double(f->dtype, f->missing))
    return cusp_fail(CUSP_EIO, "feature '%s': the default %.14g does not fit %s", f->name,
                     f->missing, cusp_dtype_name(f->dtype));
  int64_t count = cusp_shape_count(&f->shape);
  for (int64_t i = 0; i < count; i++)
    cusp_store_double(f->dtype, (char *)out + (size_t)i * cusp_dtype_size(f->dtype), f->missing);
  return CUSP_OK;
}

static bool has_name(span key, const char *name) {
  size_t length = strlen(name);
  return key.at && (size_t)(key.end - key.at) == length && memcmp(key.at, name, length) == 0;
}

/* The value of the entry with that name; found.at is NULL where there is none. */
static bool find_feature(span features, const char *name, span *found) {
  int number, wire;
  span entry, key, value;
  uint64_t unused;
  *found = (span){NULL, NULL};
  while (features.at < features.end) {
    if (!read_field(&features, &number, &wire, &entry, &unused))
      return false;
    if (number != 1 || wire != DELIMITED)
      continue;
    if (!find_field(entry, 1, &key) || !find_field(entry, 2, &value))
      return false;
    if (has_name(key, name))
      *found = value;
  }
  return true;
}

cusp_status cusp_example_parse(const unsigned char *data, size_t bytes, int n_features,
                               const cusp_feature *features, void *const *out) {
  span all, value;
  if (!find_field((span){data, data + bytes}, 1, &all))
    return malformed();
  for (int k = 0; k < n_features; k++) {
    const cusp_feature *f = &features[k];
    if (!find_feature(all, f->name, &value))
      return malformed();
    if (!value.at || value.at == value.end)
      CUSP_TRY(fill_missing(f, out[k]));
    else
      CUSP_TRY(f->kind == CUSP_FEATURE_NUMBERS ? parse_numbers(f, value, out[k])
                                               : parse_bytes(f, value, out[k]));
  }
  return CUSP_OK;
}
