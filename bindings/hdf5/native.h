#ifndef CUSP_BINDINGS_HDF5_NATIVE_H
#define CUSP_BINDINGS_HDF5_NATIVE_H
/*
 * What the files of the module cusp.native.hdf5 share.
 *
 * Reading: a file from outside is looked at by libhdf5 only in a forked child (child.c), through a
 * driver (read_driver.c) that gives it the bytes of one open descriptor and nothing else. The child
 * walks the file (walk.c, dataset.c, types.c) and sends what it finds as a stream of Lua values
 * (stream.h) through a pipe. What comes out of the pipe is not trusted either. Writing: libhdf5
 * lays out a new file in this process (write.c) on pages in memory (write_driver.c); the numbers of
 * the datasets never pass through it.
 */

#include "stream.h"

#include <hdf5.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/* ------------------------------------------------------------------ read_driver.c */

/** Opens the file behind a descriptor for reading; negative on failure. Only one can be open. */
hid_t cusp_hdf5_open_descriptor(int descriptor);

/** Where the last read of raw data was asked for. */
typedef struct cusp_hdf5_place {
  uint64_t offset; /* in the file, the user block included */
  uint64_t bytes;
  bool known;
} cusp_hdf5_place;

/** From now on reads of raw data read nothing and only note their place, which is cleared. */
void cusp_hdf5_note_places(bool on);
cusp_hdf5_place cusp_hdf5_noted_place(void);

/* ------------------------------------------------------------------ walk.c, dataset.c, types.c:
 * all in the child */

/** Sends the whole tree: {root =, objects = {{kind =, links =, attributes =, ...}, ...}}, or {error
 * =}. */
void cusp_hdf5_send_tree(stream *out, int descriptor);
/** Sends the contents of the dataset at an object's address: {index =} or {values =}, or {error
 * =}. */
void cusp_hdf5_send_contents(stream *out, int descriptor, haddr_t address);

/** Sends the fields of a dataset into the open table: type, shape, layout, and its contents where
 * they are small. */
void cusp_hdf5_send_dataset(stream *out, hid_t dataset);
/** Sends the field `index` (chunks) or `values` (anything held in line). */
bool cusp_hdf5_send_dataset_contents(stream *out, hid_t dataset);
/** Sends {{name =, type fields, shape =, values =}, ...} for all attributes of an object. */
void cusp_hdf5_send_attributes(stream *out, hid_t object);
/** Sends the fields type ("string"), dtype, big_endian, size, variable, charset, padding or
 * unsupported. True where values can be read. */
bool cusp_hdf5_send_type(stream *out, hid_t type);
/** Sends the fields `shape` and `null`; *count is the number of elements. False where they are too
 * many to count. */
bool cusp_hdf5_send_space(stream *out, hid_t space, uint64_t *count);
/** Sends the field `values`: the bytes, or a list of strings; "" or {} for none. `read` gets the
 * memory to fill. */
typedef herr_t (*cusp_hdf5_read)(hid_t object, hid_t type, void *to);
bool cusp_hdf5_send_values(stream *out, hid_t object, hid_t type, hid_t space, uint64_t count,
                           cusp_hdf5_read read);
/** Sends the field `error` with the reason that libhdf5 gives, behind `what`. */
void cusp_hdf5_send_error(stream *out, const char *what);
/** The innermost reason of libhdf5's error stack, which is cleared; "" if there is none. */
const char *cusp_hdf5_reason(void);

/* ------------------------------------------------------------------ module.c */

/** As luaL_error, without a position: the Lua code around it knows the user's. */
int cusp_hdf5_fail(lua_State *L, const char *format, ...);

/* ------------------------------------------------------------------ child.c, write.c: functions of
 * the module */

/**
 * parse(path, descriptor, seconds, check_interrupt[, address]) → the table that the child sent: the
 * whole tree, or the contents of the dataset at an address. `path` is for messages;
 * `check_interrupt` is called when a signal came and may raise an error.
 */
int cusp_hdf5_parse(lua_State *L);
/** create() → a new file; its methods are in write.c. */
int cusp_hdf5_create(lua_State *L);

/* ------------------------------------------------------------------ write_driver.c */

typedef struct cusp_hdf5_pages cusp_hdf5_pages;

/** Pages of a file being written; NULL without memory. */
cusp_hdf5_pages *cusp_hdf5_pages_new(void);
void cusp_hdf5_pages_free(cusp_hdf5_pages *pages); /* NULL is accepted */
/** A new HDF5 file on these pages, which are lent to it; negative on failure. */
hid_t cusp_hdf5_create_on(cusp_hdf5_pages *pages);
/** Whether memory ran out; libhdf5 was not told, since it does not survive a failing write. */
bool cusp_hdf5_pages_failed(const cusp_hdf5_pages *pages);
/** From now on writes of raw data write nothing and only note their place. */
void cusp_hdf5_pages_note_places(cusp_hdf5_pages *pages, bool on);
cusp_hdf5_place cusp_hdf5_pages_noted_place(const cusp_hdf5_pages *pages);
/** The next run of written bytes at or after *offset: sets *offset and the length, returns the
 * bytes, NULL at the end. */
const void *cusp_hdf5_pages_next(const cusp_hdf5_pages *pages, uint64_t *offset, size_t *bytes);
/** Size of the file. */
uint64_t cusp_hdf5_pages_end(const cusp_hdf5_pages *pages);

int luaopen_cusp_native_hdf5(lua_State *L);

#endif
