/*
 * The walk over a file, in the child: objects are numbered by address as links to them are met, and
 * described one after the other, so that neither cycles nor deep nesting matter. Soft links are
 * sent as text; the parent resolves them.
 */
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_OBJECTS ((size_t)1 << 20)
#define MOST_SENT ((uint64_t)224 << 20)

/* Addresses in the order in which they were met, and a table (open addressing) from address to
 * number. */
typedef struct walk {
  stream *out;
  haddr_t *addresses;
  size_t count, room;
  uint32_t *table; /* number, 0 for an empty place; twice as many as `room` */
} walk;

/* ------------------------------------------------------------------ numbers of addresses */

static size_t table_place(const walk *w, haddr_t address) {
  size_t size = 2 * w->room, at = (size_t)((address * 0x9e3779b97f4a7c15u) >> 20) % size;
  while (w->table[at] != 0 && w->addresses[w->table[at] - 1] != address)
    at = (at + 1) % size;
  return at;
}

static bool grow(walk *w) {
  size_t room = w->room ? 2 * w->room : 256;
  haddr_t *addresses = realloc(w->addresses, room * sizeof *addresses);
  if (!addresses)
    return false;
  w->addresses = addresses;
  uint32_t *table = calloc(2 * room, sizeof *table);
  if (!table)
    return false;
  free(w->table);
  w->table = table;
  w->room = room;
  for (size_t i = 0; i < w->count; i++)
    w->table[table_place(w, w->addresses[i])] = (uint32_t)i + 1;
  return true;
}

/* The number of an object, a new one at the first meeting; 0 where there are too many. */
static uint32_t number_of(walk *w, haddr_t address) {
  if (w->count == w->room && (w->count >= MOST_OBJECTS || !grow(w)))
    return 0;
  size_t at = table_place(w, address);
  if (w->table[at] == 0) {
    w->addresses[w->count++] = address;
    w->table[at] = (uint32_t)w->count;
  }
  return w->table[at];
}

/* ------------------------------------------------------------------ links */

static void send_soft_link(stream *out, hid_t group, const char *name, size_t bytes) {
  char *target = bytes > 0 && bytes < 65536 ? calloc(1, bytes + 1) : NULL;
  stream_open_table(out);
  if (target && H5Lget_val(group, name, target, bytes, H5P_DEFAULT) >= 0)
    stream_set_text(out, "soft", target);
  else
    cusp_hdf5_send_error(out, "a soft link that cannot be read");
  stream_close_table(out);
  free(target);
}

static void send_other_link(stream *out, const char *what) {
  stream_open_table(out);
  stream_set_text(out, "unsupported", what);
  stream_close_table(out);
}

static herr_t on_link(hid_t group, const char *name, const H5L_info_t *info, void *context) {
  walk *w = context;
  stream_text(w->out, name);
  if (info->type == H5L_TYPE_HARD)
    stream_integer(w->out, number_of(w, info->u.address));
  else if (info->type == H5L_TYPE_SOFT)
    send_soft_link(w->out, group, name, info->u.val_size);
  else
    send_other_link(w->out, info->type == H5L_TYPE_EXTERNAL ? "an external link"
                                                            : "a link of an unknown kind");
  return w->out->sent > MOST_SENT ? -1 : 0;
}

static void send_group(walk *w, hid_t group) {
  hsize_t position = 0;
  stream_set_text(w->out, "kind", "group");
  stream_open_field(w->out, "links");
  herr_t status = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &position, on_link, w);
  stream_close_table(w->out);
  if (status < 0)
    cusp_hdf5_send_error(w->out, "its members cannot be read");
}

/* ------------------------------------------------------------------ objects */

static void send_object(walk *w, hid_t file, size_t number) {
  hid_t object =
      number == 0 ? H5Gopen2(file, "/", H5P_DEFAULT) : H5Oopen_by_addr(file, w->addresses[number]);
  H5I_type_t kind = object < 0 ? H5I_BADID : H5Iget_type(object);
  stream_integer(w->out, (int64_t)number + 1);
  stream_open_table(w->out);
  stream_set_integer(w->out, "address", (int64_t)w->addresses[number]);
  if (kind == H5I_GROUP) {
    send_group(w, object);
  } else if (kind == H5I_DATASET) {
    stream_set_text(w->out, "kind", "dataset");
    cusp_hdf5_send_dataset(w->out, object);
  } else if (kind == H5I_DATATYPE) {
    stream_set_text(w->out, "unsupported", "a named datatype");
  } else {
    cusp_hdf5_send_error(w->out, "cannot be read");
  }
  if (kind == H5I_GROUP || kind == H5I_DATASET)
    cusp_hdf5_send_attributes(w->out, object);
  stream_close_table(w->out);
  H5Oclose(object);
  H5Eclear2(H5E_DEFAULT);
}

static bool find_root(walk *w, hid_t file) {
  H5O_info_t info;
  return H5Oget_info_by_name2(file, "/", &info, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 &&
         number_of(w, info.addr) == 1;
}

/* The signature stands at the beginning, or behind a user block of 512, 1024, 2048, ... bytes. */
static bool is_hdf5(int descriptor) {
  static const char signature[8] = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
  char bytes[8];
  for (off_t at = 0; pread(descriptor, bytes, sizeof bytes, at) == (ssize_t)sizeof bytes;
       at = at == 0 ? 512 : 2 * at)
    if (memcmp(bytes, signature, sizeof bytes) == 0)
      return true;
  return false;
}

void cusp_hdf5_send_tree(stream *out, int descriptor) {
  walk w = {.out = out};
  hid_t file = cusp_hdf5_open_descriptor(descriptor);
  stream_open_table(out);
  if (file < 0) {
    cusp_hdf5_send_error(out, is_hdf5(descriptor) ? "the file is damaged" : "not an HDF5 file");
  } else if (!find_root(&w, file)) {
    cusp_hdf5_send_error(out, "its root cannot be read");
  } else {
    stream_open_field(out, "objects");
    for (size_t i = 0; i < w.count && out->sent <= MOST_SENT; i++)
      send_object(&w, file, i);
    stream_close_table(out);
    if (out->sent > MOST_SENT)
      cusp_hdf5_send_error(out, "it describes more than 224 MB of attributes and names");
  }
  stream_close_table(out);
}

void cusp_hdf5_send_contents(stream *out, int descriptor, haddr_t address) {
  hid_t file = cusp_hdf5_open_descriptor(descriptor),
        object = file < 0 ? -1 : H5Oopen_by_addr(file, address);
  stream_open_table(out);
  if (object < 0 || H5Iget_type(object) != H5I_DATASET)
    cusp_hdf5_send_error(out, "cannot be read");
  else
    cusp_hdf5_send_dataset_contents(out, object);
  stream_close_table(out);
}
