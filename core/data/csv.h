#ifndef CUSP_DATA_CSV_H
#define CUSP_DATA_CSV_H
/*
 * CSV files (RFC 4180): opening one reads it once, to find its records and what its columns hold;
 * rows are read by number afterwards. In memory are 8 bytes a row, so the file may be larger than
 * memory.
 */

#include "reader.h"

typedef struct cusp_csv cusp_csv;

typedef struct cusp_csv_options {
  char delimiter;
  bool quotes; /* "..." around fields means quoting, "" within stands for one quote */
  bool header; /* the first record has the columns' names */
  /* besides the empty field, what stands for a missing value; "" for nothing else. Copied */
  const char *na;
} cusp_csv_options;

/** What all values of a column can be read as, missing ones left out; the last where there are
 * none. */
typedef enum cusp_csv_type {
  CUSP_CSV_INT32,
  CUSP_CSV_INT64,
  CUSP_CSV_FLOAT,
  CUSP_CSV_TEXT
} cusp_csv_type;

/** CUSP_EIO, naming the file and the line, for a record with too many or too few fields and for
 * misplaced quotes. */
CUSP_NODISCARD cusp_status cusp_csv_open(cusp_csv **out, const char *path,
                                         const cusp_csv_options *options);
void cusp_csv_release(cusp_csv *csv); /* NULL accepted */

int64_t cusp_csv_rows(const cusp_csv *csv);
int cusp_csv_columns(const cusp_csv *csv);
/** Name of a column, NULL without a header; lent. */
const char *cusp_csv_name(const cusp_csv *csv, int column);
cusp_csv_type cusp_csv_column_type(const cusp_csv *csv, int column);

/** Fields of one record: field i is text[start[i]], ended by a zero. */
typedef struct cusp_csv_record {
  char *text;
  size_t *start;
  size_t bytes, capacity;
  int count, room;
} cusp_csv_record;
CUSP_NODISCARD cusp_status cusp_csv_read(cusp_csv *csv, int64_t row, cusp_csv_record *record);
void cusp_csv_record_free(cusp_csv_record *record);
/** Whether a field stands for a missing value. */
bool cusp_csv_is_missing(const cusp_csv *csv, const char *field);
/** The line of the file that a row starts in, counted from 1; reads the file up to there. */
int64_t cusp_csv_line(cusp_csv *csv, int64_t row);

/** One cell of a row as a number. */
typedef struct cusp_csv_cell {
  int column;
  bool required; /* a missing value is an error; otherwise it becomes `missing` */
  double missing;
} cusp_csv_cell;

/** One column of a reader: cells of one dtype, as a vector or (a single one) as a scalar. */
typedef struct cusp_csv_output {
  cusp_dtype dtype;
  int n_cells;
  const cusp_csv_cell *cells; /* copied */
  bool vector;
} cusp_csv_output;

/** Rows as numbers. The file is retained. */
CUSP_NODISCARD cusp_status cusp_reader_csv(cusp_reader **out, cusp_csv *csv, int n_outputs,
                                           const cusp_csv_output *outputs);

#endif
