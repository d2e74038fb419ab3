#ifndef CUSP_TENSOR_ARRAY_H
#define CUSP_TENSOR_ARRAY_H
/* Strided arrays over reference-counted storage. No graph here. */

#include "../base/memory.h"
#include "dtype.h"

#define CUSP_MAX_DIMS 8

/** A shape; ndim 0 is a scalar. */
typedef struct cusp_shape {
  int32_t ndim;
  int64_t size[CUSP_MAX_DIMS];
} cusp_shape;

/** Bytes shared by arrays. Reference counts are not atomic: graphs belong to one thread. */
typedef struct cusp_storage {
  int64_t references;
  size_t bytes;
  void *data; /* aligned to 64 */
  /* for bytes that are not ours (a mapped file); NULL: cusp_free(data) */
  void (*release)(struct cusp_storage *);
  void *owner;
  struct cusp_storage *next, *previous; /* among those that hold strings (see strings.h) */
  bool strings;
  uint32_t stamp; /* of these bytes in this storage (cusp_storage_stamp); 0: nobody has asked */
} cusp_storage;

/**
 * A view: element (i, j, ...) is at data + (i * strides[0] + j * strides[1] + ...) * size of dtype.
 * Strides are in elements, 0 on broadcast axes, negative on flipped ones.
 * `storage` is NULL for arrays whose memory someone else keeps alive (a plan's
 * arena). */
typedef struct cusp_array {
  cusp_dtype dtype;
  cusp_shape shape;
  int64_t strides[CUSP_MAX_DIMS];
  void *data;
  cusp_storage *storage;
} cusp_array;

/** Sets *count to the product of the sizes; CUSP_ESHAPE for a negative size or an overflow. */
CUSP_NODISCARD cusp_status cusp_shape_count_checked(int64_t *count, const cusp_shape *shape);
/** The product of the sizes of a shape that was checked already. */
int64_t cusp_shape_count(const cusp_shape *shape);
bool cusp_shape_equal(const cusp_shape *a, const cusp_shape *b);
/** "[2, 3]" into `text`; returns `text`. Also the `%s` of messages: cusp_shape_text(&shape) uses a
 * ring of thread-local buffers. */
const char *cusp_shape_text(const cusp_shape *shape);
/** NumPy broadcasting of two shapes; CUSP_ESHAPE naming both where they do not fit. */
CUSP_NODISCARD cusp_status cusp_shape_broadcast(cusp_shape *out, const cusp_shape *a,
                                                const cusp_shape *b);

CUSP_NODISCARD cusp_status cusp_storage_new(cusp_storage **out, size_t bytes);
void cusp_storage_retain(cusp_storage *storage);
void cusp_storage_release(cusp_storage *storage); /* NULL is accepted */
/** A number that no other storage has, nor this one with other bytes: for what is made of them. */
uint32_t cusp_storage_stamp(cusp_storage *storage);
/** Before bytes that others may have seen are overwritten. */
void cusp_storage_change(cusp_storage *storage);
/** Says that its bytes are strings, from now until it is freed: these strings stay (strings.h). */
void cusp_storage_watch_strings(cusp_storage *storage);

/** A new row-major array, uninitialised, or of empty strings; *out is all zero on failure. */
CUSP_NODISCARD cusp_status cusp_array_new(cusp_array *out, cusp_dtype dtype,
                                          const cusp_shape *shape);
/** Drops the storage reference and zeroes the struct. */
void cusp_array_release(cusp_array *array);
/** Row-major strides for `shape`. */
void cusp_strides_row_major(int64_t strides[CUSP_MAX_DIMS], const cusp_shape *shape);
/** Row-major and without gaps (axes of size 1 do not count). */
bool cusp_array_is_contiguous(const cusp_array *array);
static inline int64_t cusp_array_count(const cusp_array *array) {
  return cusp_shape_count(&array->shape);
}
/** Bytes of a copy in float32, rounded up so that another may follow. */
static inline size_t cusp_wide_bytes(const cusp_array *array) {
  return cusp_aligned_size((size_t)cusp_array_count(array) * sizeof(float));
}

/*
 * Views: fill *out with the same data (and the same storage pointer, NOT retained: retain it if you
 * keep it). Those returning bool say false where the strides do not allow a view and a copy is
 * needed.
 */
bool cusp_array_reshape(cusp_array *out, const cusp_array *in, const cusp_shape *shape);
void cusp_array_transpose(cusp_array *out, const cusp_array *in, const int64_t *axes);
void cusp_array_broadcast(cusp_array *out, const cusp_array *in, const cusp_shape *shape);
/** start and step for each axis, `shape` the result's; step may be negative. */
void cusp_array_slice(cusp_array *out, const cusp_array *in, const int64_t *start,
                      const int64_t *step, const cusp_shape *shape);

/** Copies elements between arrays of one shape and dtype, any strides (parallel when large). */
void cusp_array_copy(const cusp_array *to, const cusp_array *from);
/** *kept: the array, row-major, with a reference to its storage: itself, or a copy where it lies
 * otherwise or its memory is lent. Zero on failure. */
CUSP_NODISCARD cusp_status cusp_array_keep_contiguous(cusp_array *kept, const cusp_array *array);

/**
 * The shared stride logic: drops axes of size 1 and merges axes that are contiguous to each other
 * in ALL of the `count` arrays, so that kernels see few axes. strides[k] are array k's strides in
 * elements; results in place. Returns the new number of axes (at least 1; a scalar gives one axis
 * of size 1).
 */
int cusp_collapse_axes(int ndim, int64_t *size, int count, int64_t strides[][CUSP_MAX_DIMS]);

#endif
