#ifndef CUSP_DATA_READER_H
#define CUSP_DATA_READER_H
/*
 * Readers: rows by number, from arrays or files. A row has one or more columns, each of a fixed
 * type; column k of the rows that are asked for is written side by side into memory of the
 * caller's. Readers are used from several threads at once: reading changes nothing that is not
 * guarded.
 */

#include "../tensor/array.h"

/** One column of a row. */
typedef struct cusp_column {
  cusp_dtype dtype;
  cusp_shape shape; /* of one row's part */
  size_t bytes;     /* of one row's part */
} cusp_column;

typedef struct cusp_reader cusp_reader;
struct cusp_reader {
  int references; /* counted atomically */
  /* cusp_fork_count when it was made: in a child of a later fork, a lock may be held for ever */
  int forks;
  int n_columns;
  cusp_column *columns;
  int64_t rows;
  bool in_memory; /* reading copies memory and cannot fail */
  /* how many neighbours, from multiples of it on, cost as much together as one of them; 0: a row
   * costs what it is */
  int64_t block_rows;
  /** Reads rows[0 .. count - 1], which are within [0, reader->rows). Called from any thread. */
  cusp_status (*read)(cusp_reader *reader, const int64_t *rows, int64_t count, void *const *out);
  /**
   * Keeps room for so many more decoded rows (fewer, where negative) for those who will ask for the
   * rows of blocks in another order. NULL: nothing is gained by it.
   */
  void (*keep)(cusp_reader *reader, int64_t rows);
  /** Frees what the kind of reader keeps; the struct and its columns are freed by the caller. */
  void (*free)(cusp_reader *reader);
};

/** Room for a reader of `bytes` bytes, zeroed but for references (1) and `n_columns` columns. *out
 * is NULL on failure. */
CUSP_NODISCARD cusp_status cusp_reader_new(cusp_reader **out, size_t bytes, int n_columns);
/** Sets a column; CUSP_ESHAPE where its size overflows. */
CUSP_NODISCARD cusp_status cusp_column_set(cusp_column *column, cusp_dtype dtype,
                                           const cusp_shape *shape);
/** CUSP_EUNSUPPORTED in a child that was forked since the reader was made; for those that lock. */
CUSP_NODISCARD cusp_status cusp_reader_check_fork(const cusp_reader *reader);
/** Reads one row; its columns go to out[0], out[1], ... */
typedef cusp_status cusp_read_row(cusp_reader *reader, int64_t row, void *const *out);
/** `read` of readers that have no faster way than row after row. */
CUSP_NODISCARD cusp_status cusp_reader_each_row(cusp_reader *reader, const int64_t *rows,
                                                int64_t count, void *const *out,
                                                cusp_read_row *read_row);
void cusp_reader_retain(cusp_reader *reader);
/** The last reference may be dropped on the main thread only, since arrays of the graph's may hang
 * on it. NULL accepted. */
void cusp_reader_release(cusp_reader *reader);

/** The windows of an array: row r is `length` steps from r * stride, `rate` steps apart
 * (timeseries_dataset_from_array). */
typedef struct cusp_window {
  int64_t start, stride, length, rate;
} cusp_window;

/** Rows of arrays, one column each; the arrays' storage is retained. Their first sizes agree, or at
 * least cover `rows`. */
CUSP_NODISCARD cusp_status cusp_reader_arrays(cusp_reader **out, int count,
                                              const cusp_array *arrays);
/** `rows` windows of an array; the column's first axis is the window's. */
CUSP_NODISCARD cusp_status cusp_reader_windows(cusp_reader **out, const cusp_array *array,
                                               const cusp_window *window, int64_t rows);

/** Rows that lie side by side in a file, from byte `offset`. */
typedef struct cusp_file_rows {
  const char *path;
  int64_t offset, rows;
  cusp_dtype dtype;
  cusp_shape shape; /* of one row */
  bool swapped;     /* the bytes of an element are in the order that this machine does not have */
} cusp_file_rows;
CUSP_NODISCARD cusp_status cusp_reader_file(cusp_reader **out, const cusp_file_rows *file);

/** The columns of several readers side by side; as many rows as the shortest has. Readers are
 * retained. */
CUSP_NODISCARD cusp_status cusp_reader_zip(cusp_reader **out, int count,
                                           cusp_reader *const *readers);
/** The rows of several readers, one after another; their columns agree. Readers are retained. */
CUSP_NODISCARD cusp_status cusp_reader_concatenate(cusp_reader **out, int count,
                                                   cusp_reader *const *readers);
/** The same rows, kept in memory from their first reading on. The reader is retained. */
CUSP_NODISCARD cusp_status cusp_reader_cache(cusp_reader **out, cusp_reader *reader);

#endif
