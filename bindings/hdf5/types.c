/* Types, spaces, values and attributes of a file, sent by the child. */
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one attribute or dataset held in line may have, and all of them together (the parent's own
 * limit lies higher). */
#define MOST_BYTES ((uint64_t)64 << 20)
#define MOST_SENT ((uint64_t)192 << 20)

/* ------------------------------------------------------------------ reasons */

typedef struct reason {
  char text[256];
} reason;

/* The first call is for the innermost function, which knows best. */
static herr_t take_reason(unsigned n, const H5E_error2_t *error, void *to) {
  reason *r = to;
  if (n == 0 && error->desc)
    snprintf(r->text, sizeof r->text, "%s", error->desc);
  return 0;
}

const char *cusp_hdf5_reason(void) {
  static reason r;
  r.text[0] = '\0';
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_reason, &r);
  H5Eclear2(H5E_DEFAULT);
  return r.text;
}

void cusp_hdf5_send_error(stream *out, const char *what) {
  char text[400];
  const char *why = cusp_hdf5_reason();
  snprintf(text, sizeof text, "%s%s%s", what, *why ? ": " : "", why);
  stream_set_text(out, "error", text);
}

/* ------------------------------------------------------------------ types */

/* Where sign, exponent and mantissa lie tells the 16-bit floats apart. */
static const char *float_dtype(hid_t type) {
  static const struct {
    const char *dtype;
    size_t bytes, exponent_at, exponent_bits, mantissa_bits, bias;
  } known[] = {{"float16", 2, 10, 5, 10, 15},
               {"bfloat16", 2, 7, 8, 7, 127},
               {"float32", 4, 23, 8, 23, 127},
               {"float64", 8, 52, 11, 52, 1023}};
  size_t sign, exponent_at, exponent_bits, mantissa_at, mantissa_bits;
  if (H5Tget_fields(type, &sign, &exponent_at, &exponent_bits, &mantissa_at, &mantissa_bits) < 0)
    return NULL;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (H5Tget_size(type) == known[i].bytes && sign == 8 * known[i].bytes - 1 &&
        exponent_at == known[i].exponent_at && exponent_bits == known[i].exponent_bits &&
        mantissa_at == 0 && mantissa_bits == known[i].mantissa_bits &&
        H5Tget_ebias(type) == known[i].bias)
      return known[i].dtype;
  return NULL;
}

static const char *integer_dtype(hid_t type) {
  static const char *const names[2][4] = {{"uint8", "uint16", "uint32", "uint64"},
                                          {"int8", "int16", "int32", "int64"}};
  size_t bytes = H5Tget_size(type);
  int row = bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : bytes == 8 ? 3 : -1;
  if (row < 0 || H5Tget_precision(type) != 8 * bytes || H5Tget_offset(type) != 0)
    return NULL;
  return names[H5Tget_sign(type) == H5T_SGN_2][row];
}

/* h5py's booleans: an enumeration of FALSE and TRUE over int8. */
static bool is_boolean(hid_t type) {
  signed char no = 0, yes = 0;
  return H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2 &&
         H5Tenum_valueof(type, "FALSE", &no) >= 0 && H5Tenum_valueof(type, "TRUE", &yes) >= 0 &&
         no == 0 && yes == 1;
}

static const char *enum_dtype(hid_t type) {
  if (is_boolean(type))
    return "bool";
  H5Eclear2(H5E_DEFAULT);
  hid_t base = H5Tget_super(type);
  const char *dtype = base < 0 ? NULL : integer_dtype(base);
  H5Tclose(base);
  return dtype;
}

/* h5py writes ml_dtypes' bfloat16, which it does not know, as opaque elements of two bytes. */
static const char *opaque_dtype(hid_t type) { return H5Tget_size(type) == 2 ? "bfloat16" : NULL; }

static const char *dtype_of(hid_t type, H5T_class_t class) {
  switch (class) {
  case H5T_FLOAT: return float_dtype(type);
  case H5T_INTEGER:
  case H5T_BITFIELD: return integer_dtype(type);
  case H5T_ENUM: return enum_dtype(type);
  case H5T_OPAQUE: return opaque_dtype(type);
  default: return NULL;
  }
}

static const char *class_name(H5T_class_t class) {
  switch (class) {
  case H5T_INTEGER: return "integers of an unusual size";
  case H5T_FLOAT: return "floats of an unusual size";
  case H5T_TIME: return "times";
  case H5T_BITFIELD: return "bitfields of an unusual size";
  case H5T_OPAQUE: return "opaque values";
  case H5T_COMPOUND: return "compound values";
  case H5T_REFERENCE: return "references";
  case H5T_ENUM: return "an enumeration";
  case H5T_VLEN: return "lists of variable length";
  case H5T_ARRAY: return "array values";
  default: return "an unknown type";
  }
}

static bool send_string_type(stream *out, hid_t type) {
  static const char *const paddings[] = {"null_terminated", "null_padded", "space_padded"};
  H5T_str_t padding = H5Tget_strpad(type);
  stream_set_text(out, "type", "string");
  stream_set_boolean(out, "variable", H5Tis_variable_str(type) > 0);
  stream_set_text(out, "charset", H5Tget_cset(type) == H5T_CSET_UTF8 ? "utf8" : "ascii");
  stream_set_text(out, "padding",
                  padding >= H5T_STR_NULLTERM && padding <= H5T_STR_SPACEPAD ? paddings[padding]
                                                                             : paddings[0]);
  stream_set_integer(out, "size", (int64_t)H5Tget_size(type));
  return true;
}

bool cusp_hdf5_send_type(stream *out, hid_t type) {
  H5T_class_t class = H5Tget_class(type);
  if (class == H5T_STRING)
    return send_string_type(out, type);
  const char *dtype = dtype_of(type, class);
  if (!dtype) {
    stream_set_text(out, "unsupported", class_name(class));
    return false;
  }
  stream_set_text(out, "dtype", dtype);
  stream_set_integer(out, "size", (int64_t)H5Tget_size(type));
  if (class != H5T_OPAQUE && H5Tget_order(type) == H5T_ORDER_BE)
    stream_set_boolean(out, "big_endian", true);
  return true;
}

bool cusp_hdf5_send_space(stream *out, hid_t space, uint64_t *count) {
  hsize_t sizes[H5S_MAX_RANK];
  H5S_class_t class = H5Sget_simple_extent_type(space);
  int axes = H5Sget_simple_extent_dims(space, sizes, NULL);
  if (class == H5S_NO_CLASS || axes < 0)
    return false;
  stream_open_field(out, "shape");
  *count = class == H5S_NULL ? 0 : 1;
  bool countable = true;
  for (int i = 0; i < axes; i++) {
    stream_integer(out, i + 1);
    stream_integer(out, sizes[i] > INT64_MAX ? INT64_MAX : (int64_t)sizes[i]);
    countable =
        countable && !__builtin_mul_overflow(*count, sizes[i], count) && *count <= INT64_MAX;
  }
  stream_close_table(out);
  if (class == H5S_NULL)
    stream_set_boolean(out, "null", true);
  return countable;
}

/* ------------------------------------------------------------------ values */

static size_t text_length(const char *text, size_t room, H5T_str_t padding) {
  size_t length = padding == H5T_STR_NULLTERM ? strnlen(text, room) : room;
  char pad = padding == H5T_STR_SPACEPAD ? ' ' : '\0';
  while (padding != H5T_STR_NULLTERM && length > 0 && text[length - 1] == pad)
    length--;
  return length;
}

static void send_fixed_strings(stream *out, const char *data, hid_t type, uint64_t count) {
  size_t room = H5Tget_size(type);
  H5T_str_t padding = H5Tget_strpad(type);
  stream_open_field(out, "values");
  for (uint64_t i = 0; i < count; i++) {
    stream_integer(out, (int64_t)i + 1);
    stream_string(out, data + i * room, text_length(data + i * room, room, padding));
  }
  stream_close_table(out);
}

static bool send_variable_strings(stream *out, char *const *strings, uint64_t count) {
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < count; i++)
    bytes += strings[i] ? strlen(strings[i]) : 0;
  if (bytes > MOST_BYTES)
    return false;
  stream_open_field(out, "values");
  for (uint64_t i = 0; i < count; i++) {
    stream_integer(out, (int64_t)i + 1);
    stream_text(out, strings[i] ? strings[i] : "");
  }
  stream_close_table(out);
  return true;
}

static bool send_strings(stream *out, char *data, hid_t type, hid_t space, uint64_t count) {
  if (H5Tis_variable_str(type) <= 0) {
    send_fixed_strings(out, data, type, count);
    return true;
  }
  bool sent = send_variable_strings(out, (char *const *)data, count);
  H5Dvlen_reclaim(type, space, H5P_DEFAULT, data);
  return sent;
}

bool cusp_hdf5_send_values(stream *out, hid_t object, hid_t type, hid_t space, uint64_t count,
                           cusp_hdf5_read read) {
  bool strings = H5Tget_class(type) == H5T_STRING;
  uint64_t bytes;
  if (__builtin_mul_overflow(count, (uint64_t)H5Tget_size(type), &bytes) || bytes > MOST_BYTES ||
      out->sent + bytes > MOST_SENT) {
    H5Eclear2(H5E_DEFAULT);
    cusp_hdf5_send_error(out, "is too large: 64 MB in one piece is the limit");
    return false;
  }
  char *data = calloc(1, bytes > 0 ? bytes : 1);
  bool sent = data && (count == 0 || read(object, type, data) >= 0);
  if (sent && strings) {
    sent = send_strings(out, data, type, space, count);
  } else if (sent) {
    stream_text(out, "values");
    stream_string(out, data, bytes);
  }
  free(data);
  if (!sent)
    cusp_hdf5_send_error(out, "cannot be read");
  return sent;
}

/* ------------------------------------------------------------------ attributes */

typedef struct attribute_list {
  stream *out;
  int64_t count;
} attribute_list;

static void send_attribute(stream *out, hid_t attribute) {
  hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
  uint64_t count = 0;
  if (type < 0 || space < 0)
    cusp_hdf5_send_error(out, "cannot be read");
  else if (!cusp_hdf5_send_space(out, space, &count))
    cusp_hdf5_send_error(out, "has more elements than can be counted");
  else if (cusp_hdf5_send_type(out, type))
    cusp_hdf5_send_values(out, attribute, type, space, count, H5Aread);
  H5Tclose(type);
  H5Sclose(space);
}

static herr_t on_attribute(hid_t object, const char *name, const H5A_info_t *info, void *context) {
  attribute_list *list = context;
  (void)info;
  stream_integer(list->out, ++list->count);
  stream_open_table(list->out);
  stream_set_text(list->out, "name", name);
  hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
  if (attribute < 0)
    cusp_hdf5_send_error(list->out, "cannot be read");
  else
    send_attribute(list->out, attribute);
  H5Aclose(attribute);
  H5Eclear2(H5E_DEFAULT);
  stream_close_table(list->out);
  return 0;
}

void cusp_hdf5_send_attributes(stream *out, hid_t object) {
  attribute_list list = {out, 0};
  hsize_t position = 0;
  stream_open_field(out, "attributes");
  herr_t status = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &position, on_attribute, &list);
  stream_close_table(out);
  if (status < 0)
    cusp_hdf5_send_error(out, "its attributes cannot be read");
}
