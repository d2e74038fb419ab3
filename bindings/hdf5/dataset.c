/* Datasets of a file, sent by the child: where their numbers lie, or what they hold. */
#include "native.h"

#include <stdio.h>
#include <string.h>

/* chunks whose places are sent with the tree; more are looked up when asked for */
#define INDEXED_AT_ONCE 256
#define MOST_CHUNKS ((uint64_t)4 << 20)      /* of a dataset */
#define SENT_AT_ONCE ((uint64_t)1 << 16)     /* bytes of values sent with the tree */
#define VARIABLE_STRING_BYTES (uint64_t)(64) /* for that decision alone */

/** As `struct cusp_chunk` of the engine: one record of the index. */
typedef struct place_record {
  uint64_t offset;
  uint32_t bytes, skipped;
} place_record;

/* A dataset with what is asked of it again and again. */
typedef struct subject {
  hid_t dataset, type, space, properties;
  uint64_t count;
  H5D_layout_t layout;
  bool readable; /* its type is understood, and nothing forbids its storage */
} subject;

static herr_t read_dataset(hid_t dataset, hid_t type, void *to) {
  return H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to);
}

static bool open_subject(subject *s, hid_t dataset) {
  *s = (subject){.dataset = dataset,
                 .type = H5Dget_type(dataset),
                 .space = H5Dget_space(dataset),
                 .properties = H5Dget_create_plist(dataset)};
  s->layout = s->properties < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(s->properties);
  return s->type >= 0 && s->space >= 0 && s->layout != H5D_LAYOUT_ERROR;
}

static void close_subject(subject *s) {
  H5Tclose(s->type);
  H5Sclose(s->space);
  H5Pclose(s->properties);
}

/* ------------------------------------------------------------------ chunks */

typedef struct grid {
  int axes;
  hsize_t shape[H5S_MAX_RANK], chunk[H5S_MAX_RANK], places[H5S_MAX_RANK];
  uint64_t count;
} grid;

static bool measure_grid(grid *g, const subject *s) {
  g->axes = H5Sget_simple_extent_dims(s->space, g->shape, NULL);
  g->count = 1;
  if (g->axes < 1 || H5Pget_chunk(s->properties, H5S_MAX_RANK, g->chunk) != g->axes)
    return false;
  for (int i = 0; i < g->axes; i++) {
    if (g->chunk[i] == 0)
      return false;
    g->places[i] = g->shape[i] / g->chunk[i] + (g->shape[i] % g->chunk[i] != 0);
    if (__builtin_mul_overflow(g->count, g->places[i], &g->count))
      return false;
  }
  return true;
}

/*
 * The place of the chunk at `index` of the grid, all zero for one that was never written. Looking
 * one up by number (H5Dget_chunk_info) walks over all chunks before it; reading it while the driver
 * only notes what is asked of it takes a logarithm's time.
 */
static bool find_chunk(place_record *record, const subject *s, const grid *g, uint64_t index) {
  hsize_t start[H5S_MAX_RANK];
  uint32_t skipped = 0;
  char nothing[1];
  for (int i = g->axes - 1; i >= 0; i--) {
    start[i] = index % g->places[i] * g->chunk[i];
    index /= g->places[i];
  }
  cusp_hdf5_note_places(true);
  bool read = H5Dread_chunk(s->dataset, H5P_DEFAULT, start, &skipped, nothing) >= 0;
  cusp_hdf5_place place = cusp_hdf5_noted_place();
  cusp_hdf5_note_places(false);
  H5Eclear2(H5E_DEFAULT);
  *record = (place_record){0};
  if (!read || !place.known)
    return false;
  *record = (place_record){place.offset,
                           place.bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)place.bytes, skipped};
  return true;
}

/* Sends `index`: nothing where no chunk was ever written. A chunk that is listed but cannot be
 * found means damage. */
static bool send_index(stream *out, const subject *s, const grid *g) {
  hsize_t listed = 0;
  uint64_t found = 0, bytes = g->count * sizeof(place_record);
  if (H5Dget_num_chunks(s->dataset, s->space, &listed) < 0) {
    cusp_hdf5_send_error(out, "its index of chunks cannot be read");
    return false;
  }
  stream_text(out, "index");
  stream_byte(out, 's');
  bytes = listed == 0 ? 0 : bytes;
  stream_bytes(out, &bytes, sizeof bytes);
  for (uint64_t i = 0; listed > 0 && i < g->count; i++) {
    place_record record;
    found += find_chunk(&record, s, g, i);
    stream_bytes(out, &record, sizeof record);
  }
  if (found == listed)
    return true;
  cusp_hdf5_send_error(out, "its index of chunks is damaged");
  return false;
}

enum { FILTER_LZF = 32000 }; /* registered for h5py */

static const char *known_filter(H5Z_filter_t filter) {
  return filter == H5Z_FILTER_DEFLATE      ? "gzip"
         : filter == H5Z_FILTER_SHUFFLE    ? "shuffle"
         : filter == H5Z_FILTER_FLETCHER32 ? "fletcher32"
         : filter == FILTER_LZF            ? "lzf"
                                           : NULL;
}

/* Sends `filters`, their names in the order of writing; one that is not understood makes the
 * dataset unreadable. */
static bool send_filters(stream *out, const subject *s) {
  int count = H5Pget_nfilters(s->properties);
  char unknown[64] = "";
  stream_open_field(out, "filters");
  for (int i = 0; i < count; i++) {
    unsigned flags, settings[8] = {0}, configuration;
    size_t values = 8;
    char name[32] = "";
    H5Z_filter_t filter = H5Pget_filter2(s->properties, (unsigned)i, &flags, &values, settings,
                                         sizeof name, name, &configuration);
    const char *known = known_filter(filter);
    if (!known)
      snprintf(unknown, sizeof unknown, "the filter %.31s (%d)", *name ? name : "without a name",
               (int)filter);
    stream_integer(out, i + 1);
    stream_text(out, known ? known : unknown);
  }
  stream_close_table(out);
  if (*unknown)
    stream_set_text(out, "unsupported", unknown);
  return !*unknown && count >= 0;
}

static bool send_fill(stream *out, const subject *s) {
  char fill[8] = {0};
  size_t bytes = H5Tget_size(s->type);
  H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
  bool given =
      H5Pfill_value_defined(s->properties, &defined) >= 0 && defined == H5D_FILL_VALUE_USER_DEFINED;
  if (bytes > sizeof fill || (given && H5Pget_fill_value(s->properties, s->type, fill) < 0)) {
    cusp_hdf5_send_error(out, "its fill value cannot be read");
    return false;
  }
  stream_text(out, "fill");
  stream_string(out, fill, bytes);
  return true;
}

static bool send_chunks(stream *out, const subject *s) {
  grid g;
  if (!measure_grid(&g, s)) {
    cusp_hdf5_send_error(out, "its chunks do not fit its shape");
    return false;
  }
  stream_open_field(out, "chunk");
  for (int i = 0; i < g.axes; i++) {
    stream_integer(out, i + 1);
    stream_integer(out, g.chunk[i] > INT64_MAX ? INT64_MAX : (int64_t)g.chunk[i]);
  }
  stream_close_table(out);
  if (!send_filters(out, s) || !send_fill(out, s))
    return false;
  if (g.count > MOST_CHUNKS) {
    cusp_hdf5_send_error(out, "has more than 4 million chunks");
    return false;
  }
  return g.count > INDEXED_AT_ONCE || send_index(out, s, &g);
}

/* ------------------------------------------------------------------ layouts */

/* Numbers in one piece; without an address they were never written, and are the fill value. */
static void send_contiguous(stream *out, const subject *s) {
  H5D_space_status_t status;
  if (H5Dget_space_status(s->dataset, &status) >= 0 && status == H5D_SPACE_STATUS_NOT_ALLOCATED) {
    send_fill(out, s);
    return;
  }
  haddr_t offset = H5Dget_offset(s->dataset);
  uint64_t stored = H5Dget_storage_size(s->dataset), needed;
  if (__builtin_mul_overflow(s->count, (uint64_t)H5Tget_size(s->type), &needed) ||
      stored < needed || offset > INT64_MAX)
    cusp_hdf5_send_error(out, "its storage is smaller than its shape");
  else
    stream_set_integer(out, "offset", (int64_t)offset);
}

/* Sends `layout`; false where the numbers do not lie in this file. */
static bool send_layout(stream *out, const subject *s) {
  static const char *const names[] = {"compact", "contiguous", "chunked"};
  if (s->layout == H5D_VIRTUAL || H5Pget_external_count(s->properties) > 0) {
    stream_set_text(out, "unsupported",
                    s->layout == H5D_VIRTUAL ? "a virtual layout" : "external storage");
    return false;
  }
  if (s->layout < H5D_COMPACT || s->layout > H5D_CHUNKED) {
    stream_set_text(out, "unsupported", "an unknown layout");
    return false;
  }
  stream_set_text(out, "layout", names[s->layout]);
  return true;
}

static bool is_string(const subject *s) { return H5Tget_class(s->type) == H5T_STRING; }

static bool send_subject_contents(stream *out, const subject *s) {
  grid g;
  if (s->layout == H5D_CHUNKED && !is_string(s))
    return measure_grid(&g, s) && g.count <= MOST_CHUNKS && send_index(out, s, &g);
  return cusp_hdf5_send_values(out, s->dataset, s->type, s->space, s->count, read_dataset);
}

static void send_storage(stream *out, const subject *s) {
  uint64_t element = is_string(s) && H5Tis_variable_str(s->type) > 0 ? VARIABLE_STRING_BYTES
                                                                     : H5Tget_size(s->type),
           bytes;
  if (s->count == 0)
    cusp_hdf5_send_values(out, s->dataset, s->type, s->space, 0, read_dataset);
  else if (s->layout == H5D_CHUNKED && !is_string(s))
    send_chunks(out, s);
  else if (s->layout == H5D_CONTIGUOUS && !is_string(s))
    send_contiguous(out, s);
  else if (!__builtin_mul_overflow(s->count, element, &bytes) && bytes <= SENT_AT_ONCE)
    send_subject_contents(out, s);
}

void cusp_hdf5_send_dataset(stream *out, hid_t dataset) {
  subject s;
  if (!open_subject(&s, dataset))
    cusp_hdf5_send_error(out, "its description cannot be read");
  else if (!cusp_hdf5_send_space(out, s.space, &s.count))
    cusp_hdf5_send_error(out, "it has more elements than can be counted");
  else if (cusp_hdf5_send_type(out, s.type) && send_layout(out, &s))
    send_storage(out, &s);
  close_subject(&s);
  H5Eclear2(H5E_DEFAULT);
}

bool cusp_hdf5_send_dataset_contents(stream *out, hid_t dataset) {
  subject s;
  hssize_t count = -1;
  bool sent = open_subject(&s, dataset) && (count = H5Sget_simple_extent_npoints(s.space)) >= 0;
  s.count = (uint64_t)count;
  if (sent)
    sent = send_subject_contents(out, &s);
  else
    cusp_hdf5_send_error(out, "its description cannot be read");
  close_subject(&s);
  return sent;
}
