#include "csv.h"

#include "../base/memory.h"
#include "../base/numerals.h"
#include "../base/threads.h"
#include "bytes.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)1 << 16)
#define LARGEST_RECORD ((size_t)1 << 26)
#define MOST_COLUMNS 65536

struct cusp_csv {
  int references; /* counted atomically */
  int descriptor;
  char *path, *na;
  char delimiter;
  bool quotes;
  int64_t size;    /* bytes of the file when it was opened */
  int64_t *starts; /* rows + 1 offsets: where each record begins, and where the last one ends */
  int64_t rows, capacity;
  int columns;
  char **names;
  cusp_csv_type *types;
};

/* ------------------------------------------------------------------ growing blocks */

static cusp_status reserve(void **block, size_t used, size_t *capacity, size_t wanted,
                           size_t item) {
  if (wanted <= *capacity)
    return CUSP_OK;
  size_t larger = 2 * *capacity > wanted ? 2 * *capacity : wanted, bytes;
  void *moved;
  CUSP_TRY(cusp_multiply_size(&bytes, larger, item));
  CUSP_TRY(cusp_alloc(&moved, bytes));
  if (used)
    memcpy(moved, *block, used * item);
  cusp_free(*block);
  *block = moved;
  *capacity = larger;
  return CUSP_OK;
}

/* ------------------------------------------------------------------ records */

typedef enum place { FIELD_START, PLAIN, QUOTED, QUOTE_ENDED } place;

/* Takes a record apart byte by byte. */
typedef struct parser {
  char delimiter;
  bool quotes;
  place place;
  bool any; /* something of a record was seen: a blank line is none */
  cusp_csv_record *record;
} parser;

static cusp_status put(cusp_csv_record *r, char byte) {
  if (r->bytes >= LARGEST_RECORD)
    return cusp_fail(CUSP_EIO, "a record of more than %zu bytes; is a quote missing?",
                     LARGEST_RECORD);
  CUSP_TRY(reserve((void **)&r->text, r->bytes, &r->capacity, r->bytes + 1, 1));
  r->text[r->bytes++] = byte;
  return CUSP_OK;
}

static cusp_status begin_field(cusp_csv_record *r) {
  size_t room = (size_t)r->room;
  if (r->count >= MOST_COLUMNS)
    return cusp_fail(CUSP_EIO, "more than %d fields", MOST_COLUMNS);
  CUSP_TRY(
      reserve((void **)&r->start, (size_t)r->count, &room, (size_t)r->count + 1, sizeof *r->start));
  r->room = (int)room;
  r->start[r->count++] = r->bytes;
  return CUSP_OK;
}

static cusp_status begin_record(parser *p) {
  p->place = FIELD_START;
  p->any = false;
  p->record->bytes = 0;
  p->record->count = 0;
  return begin_field(p->record);
}

static cusp_status take_plain(parser *p, char byte) {
  p->any = true;
  if (byte == p->delimiter) {
    p->place = FIELD_START;
    CUSP_TRY(put(p->record, 0));
    return begin_field(p->record);
  }
  if (p->place == QUOTE_ENDED)
    return cusp_fail(CUSP_EIO, "a quoted field is followed by '%c' rather than by a delimiter",
                     byte);
  if (byte == '"' && p->quotes && p->place == FIELD_START) {
    p->place = QUOTED;
    return CUSP_OK;
  }
  if (byte == '"' && p->quotes)
    return cusp_fail(CUSP_EIO, "a quote in the middle of a field that does not begin with one");
  p->place = PLAIN;
  return put(p->record, byte);
}

/* *ended: the byte was the newline that ends the record. A carriage return before it belongs to
 * it. */
static cusp_status take_byte(parser *p, char byte, bool *ended) {
  *ended = false;
  if (p->place == QUOTED) {
    if (byte == '"')
      p->place = QUOTE_ENDED;
    return byte == '"' ? CUSP_OK : put(p->record, byte);
  }
  if (p->place == QUOTE_ENDED && byte == '"') {
    p->place = QUOTED;
    return put(p->record, byte);
  }
  if (byte == '\n') {
    *ended = true;
    return CUSP_OK;
  }
  if (byte == '\r' && p->place == QUOTE_ENDED)
    return CUSP_OK;
  return take_plain(p, byte);
}

static cusp_status end_record(parser *p) {
  cusp_csv_record *r = p->record;
  if (p->place == QUOTED)
    return cusp_fail(CUSP_EIO, "a quoted field has no end");
  if (p->place == PLAIN && r->text[r->bytes - 1] == '\r') {
    r->bytes--;
    if (r->count == 1 && r->bytes == 0)
      p->any = false;
  }
  return put(r, 0);
}

void cusp_csv_record_free(cusp_csv_record *r) {
  cusp_free(r->text);
  cusp_free(r->start);
  memset(r, 0, sizeof *r);
}

/* ------------------------------------------------------------------ what a column holds */

bool cusp_csv_is_missing(const cusp_csv *csv, const char *field) {
  return !*field || (*csv->na && strcmp(field, csv->na) == 0);
}

static const char *skip_spaces(const char *text) {
  while (isspace((unsigned char)*text))
    text++;
  return text;
}

static bool parse_integer(const char *field, int64_t *value) {
  char *end;
  errno = 0;
  *value = strtoll(field, &end, 10);
  return end != field && errno == 0 && !*skip_spaces(end);
}

static bool parse_number(const char *field, double *value) {
  char *end;
  *value = cusp_parse_double(field, &end);
  return end != field && !*skip_spaces(end);
}

static cusp_csv_type type_of(const char *field) {
  int64_t integer;
  double number;
  if (parse_integer(field, &integer))
    return integer >= INT32_MIN && integer <= INT32_MAX ? CUSP_CSV_INT32 : CUSP_CSV_INT64;
  return parse_number(field, &number) ? CUSP_CSV_FLOAT : CUSP_CSV_TEXT;
}

static void widen_types(cusp_csv *csv, const cusp_csv_record *r) {
  for (int i = 0; i < csv->columns; i++) {
    const char *field = r->text + r->start[i];
    if (csv->types[i] == CUSP_CSV_TEXT || cusp_csv_is_missing(csv, field))
      continue;
    cusp_csv_type type = type_of(field);
    if (type > csv->types[i])
      csv->types[i] = type;
  }
}

/* ------------------------------------------------------------------ opening */

static cusp_status copy_text(char **out, const char *text) {
  CUSP_TRY(cusp_alloc((void **)out, strlen(text) + 1));
  strcpy(*out, text);
  return CUSP_OK;
}

static cusp_status take_header(cusp_csv *csv, const cusp_csv_record *r) {
  CUSP_TRY(cusp_alloc_zeroed((void **)&csv->names, (size_t)csv->columns * sizeof *csv->names));
  for (int i = 0; i < csv->columns; i++)
    CUSP_TRY(copy_text(&csv->names[i], r->text + r->start[i]));
  return CUSP_OK;
}

static cusp_status add_row(cusp_csv *csv, int64_t start, int64_t end) {
  size_t capacity = (size_t)csv->capacity;
  CUSP_TRY(reserve((void **)&csv->starts, csv->rows ? (size_t)csv->rows + 1 : 0, &capacity,
                   (size_t)csv->rows + 2, sizeof *csv->starts));
  csv->capacity = (int64_t)capacity;
  csv->starts[csv->rows++] = start;
  csv->starts[csv->rows] = end;
  return CUSP_OK;
}

static cusp_status first_record(cusp_csv *csv, const cusp_csv_record *r) {
  csv->columns = r->count;
  return cusp_alloc_zeroed((void **)&csv->types, (size_t)csv->columns * sizeof *csv->types);
}

/* Records may have blank lines between them, so a row keeps where it ends as the next one's start
 * only where they touch. */
static cusp_status take_record(cusp_csv *csv, const cusp_csv_record *r, bool header, int64_t start,
                               int64_t end) {
  if (csv->columns == 0)
    CUSP_TRY(first_record(csv, r));
  if (r->count != csv->columns)
    return cusp_fail(CUSP_EIO, "got %d fields, expected %d", r->count, csv->columns);
  if (header && !csv->names)
    return take_header(csv, r);
  widen_types(csv, r);
  return add_row(csv, start, end);
}

typedef struct scan {
  cusp_csv *csv;
  parser parser;
  bool header;
  int64_t start, line, start_line; /* of the record that is being read; lines count from 1 */
} scan;

static cusp_status finish_record(scan *s, int64_t end) {
  CUSP_TRY(end_record(&s->parser));
  if (s->parser.any)
    CUSP_TRY(take_record(s->csv, s->parser.record, s->header, s->start, end));
  s->start = end;
  s->start_line = s->line;
  return begin_record(&s->parser);
}

static cusp_status scan_bytes(scan *s, const char *bytes, size_t count, int64_t offset) {
  bool ended;
  for (size_t i = 0; i < count; i++) {
    s->line += bytes[i] == '\n';
    CUSP_TRY(take_byte(&s->parser, bytes[i], &ended));
    if (ended)
      CUSP_TRY(finish_record(s, offset + (int64_t)i + 1));
  }
  return CUSP_OK;
}

static cusp_status scan_file(scan *s, char *buffer) {
  cusp_csv *csv = s->csv;
  CUSP_TRY(begin_record(&s->parser));
  for (int64_t offset = 0; offset < csv->size;) {
    size_t count =
        (size_t)(csv->size - offset) < BUFFER_BYTES ? (size_t)(csv->size - offset) : BUFFER_BYTES;
    if (cusp_interrupted())
      return cusp_fail(CUSP_EINTERRUPT, "interrupted!");
    CUSP_TRY(cusp_read_exactly(csv->descriptor, csv->path, offset, buffer, count));
    /* of UTF-8 */
    size_t mark = offset == 0 && count >= 3 && memcmp(buffer, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    if (mark)
      s->start = 3;
    CUSP_TRY(scan_bytes(s, buffer + mark, count - mark, offset + (int64_t)mark));
    offset += (int64_t)count;
  }
  return s->parser.any || s->parser.place == QUOTED ? finish_record(s, csv->size) : CUSP_OK;
}

static cusp_status index_file(cusp_csv *csv, const cusp_csv_options *options) {
  char *buffer;
  cusp_csv_record record = {0};
  scan s = {.csv = csv,
            .parser = {csv->delimiter, csv->quotes, FIELD_START, false, &record},
            .header = options->header,
            .line = 1,
            .start_line = 1};
  CUSP_TRY(cusp_alloc((void **)&buffer, BUFFER_BYTES));
  cusp_status status = scan_file(&s, buffer);
  cusp_free(buffer);
  cusp_csv_record_free(&record);
  if (status == CUSP_EIO && strncmp(cusp_error_message(), csv->path, strlen(csv->path)) != 0)
    cusp_fail_prefix(status, "%s:%lld: ", csv->path, (long long)s.start_line);
  return status;
}

static cusp_status open_csv(cusp_csv *csv, const char *path, const cusp_csv_options *options) {
  csv->delimiter = options->delimiter;
  csv->quotes = options->quotes;
  CUSP_TRY(copy_text(&csv->path, path));
  CUSP_TRY(copy_text(&csv->na, options->na ? options->na : ""));
  CUSP_TRY(cusp_open_regular(&csv->descriptor, &csv->size, path));
  CUSP_TRY(index_file(csv, options));
  if (csv->columns == 0)
    return cusp_fail(CUSP_EIO, "%s: the file is empty: there is not even a header", path);
  for (int i = 0; csv->rows == 0 && i < csv->columns; i++)
    csv->types[i] = CUSP_CSV_TEXT;
  return CUSP_OK;
}

cusp_status cusp_csv_open(cusp_csv **out, const char *path, const cusp_csv_options *options) {
  *out = NULL;
  cusp_csv *csv;
  CUSP_TRY(cusp_alloc_zeroed((void **)&csv, sizeof *csv));
  csv->references = 1;
  csv->descriptor = -1;
  cusp_status status = open_csv(csv, path, options);
  if (status != CUSP_OK)
    cusp_csv_release(csv);
  else
    *out = csv;
  return status;
}

static void retain(cusp_csv *csv) { __atomic_add_fetch(&csv->references, 1, __ATOMIC_RELAXED); }

void cusp_csv_release(cusp_csv *csv) {
  if (!csv || __atomic_sub_fetch(&csv->references, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  if (csv->descriptor >= 0)
    close(csv->descriptor);
  for (int i = 0; csv->names && i < csv->columns; i++)
    cusp_free(csv->names[i]);
  cusp_free(csv->names);
  cusp_free(csv->types);
  cusp_free(csv->starts);
  cusp_free(csv->path);
  cusp_free(csv->na);
  cusp_free(csv);
}

int64_t cusp_csv_rows(const cusp_csv *csv) { return csv->rows; }
int cusp_csv_columns(const cusp_csv *csv) { return csv->columns; }
const char *cusp_csv_name(const cusp_csv *csv, int column) {
  return csv->names ? csv->names[column] : NULL;
}
cusp_csv_type cusp_csv_column_type(const cusp_csv *csv, int column) { return csv->types[column]; }

/* ------------------------------------------------------------------ reading rows */

static cusp_status parse_record(const cusp_csv *csv, const char *bytes, size_t count,
                                cusp_csv_record *record) {
  parser p = {csv->delimiter, csv->quotes, FIELD_START, false, record};
  bool ended;
  CUSP_TRY(begin_record(&p));
  for (size_t i = 0; i < count; i++) {
    CUSP_TRY(take_byte(&p, bytes[i], &ended));
    if (ended && p.any)
      break;
    if (ended)
      CUSP_TRY(begin_record(&p));
  }
  CUSP_TRY(end_record(&p));
  if (record->count != csv->columns)
    return cusp_fail(CUSP_EIO, "got %d fields, expected %d: the file has changed", record->count,
                     csv->columns);
  return CUSP_OK;
}

cusp_status cusp_csv_read(cusp_csv *csv, int64_t row, cusp_csv_record *record) {
  size_t count = (size_t)(csv->starts[row + 1] - csv->starts[row]);
  char *bytes;
  CUSP_TRY(cusp_alloc((void **)&bytes, count));
  cusp_status status =
      cusp_read_exactly(csv->descriptor, csv->path, csv->starts[row], bytes, count);
  if (status == CUSP_OK)
    status = parse_record(csv, bytes, count, record);
  cusp_free(bytes);
  return status;
}

int64_t cusp_csv_line(cusp_csv *csv, int64_t row) {
  char buffer[4096];
  int64_t line = 1;
  for (int64_t offset = 0; offset < csv->starts[row];) {
    int64_t left = csv->starts[row] - offset;
    ssize_t got =
        pread(csv->descriptor, buffer, left < (int64_t)sizeof buffer ? (size_t)left : sizeof buffer,
              (off_t)offset);
    if (got <= 0)
      break;
    for (ssize_t i = 0; i < got; i++)
      line += buffer[i] == '\n';
    offset += got;
  }
  return line;
}

/* ------------------------------------------------------------------ rows as numbers */

typedef struct csv_reader {
  cusp_reader base;
  cusp_csv *csv;
  cusp_csv_output *outputs;
  cusp_csv_cell *cells; /* of all outputs */
} csv_reader;

static void csv_free(cusp_reader *reader) {
  csv_reader *self = (csv_reader *)reader;
  cusp_csv_release(self->csv);
  cusp_free(self->outputs);
  cusp_free(self->cells);
}

static cusp_status fail_cell(cusp_csv *csv, int64_t row, int column, cusp_dtype dtype,
                             const char *field) {
  char number[32];
  snprintf(number, sizeof number, "%d", column + 1);
  const char *name = cusp_csv_name(csv, column);
  return cusp_fail(CUSP_EIO, "%s:%lld: column %s: expected %s, got %s%.60s%s", csv->path,
                   (long long)cusp_csv_line(csv, row), name ? name : number, cusp_dtype_name(dtype),
                   *field ? "\"" : "nothing", field, *field ? "\"" : "");
}

static cusp_status store_cell(cusp_csv *csv, int64_t row, const cusp_csv_cell *cell,
                              cusp_dtype dtype, const char *field, void *to) {
  int64_t integer;
  double number;
  bool missing = cusp_csv_is_missing(csv, field);
  if (missing && cell->required)
    return fail_cell(csv, row, cell->column, dtype, field);
  if (missing && cusp_dtype_holds_double(dtype, cell->missing))
    cusp_store_double(dtype, to, cell->missing);
  else if (!missing && !cusp_dtype_is_float(dtype) && parse_integer(field, &integer) &&
           cusp_dtype_holds_int(dtype, integer))
    cusp_store_int(dtype, to, integer);
  else if (!missing && cusp_dtype_is_float(dtype) && parse_number(field, &number))
    cusp_store_double(dtype, to, number);
  else
    return fail_cell(csv, row, cell->column, dtype, field);
  return CUSP_OK;
}

static cusp_status store_row(csv_reader *self, int64_t row, const cusp_csv_record *record,
                             int64_t at, void *const *out) {
  for (int k = 0; k < self->base.n_columns; k++) {
    const cusp_csv_output *output = &self->outputs[k];
    char *to = (char *)out[k] + (size_t)at * self->base.columns[k].bytes;
    for (int i = 0; i < output->n_cells; i++, to += cusp_dtype_size(output->dtype)) {
      const cusp_csv_cell *cell = &output->cells[i];
      CUSP_TRY(store_cell(self->csv, row, cell, output->dtype,
                          record->text + record->start[cell->column], to));
    }
  }
  return CUSP_OK;
}

static cusp_status csv_read(cusp_reader *reader, const int64_t *rows, int64_t count,
                            void *const *out) {
  csv_reader *self = (csv_reader *)reader;
  cusp_csv_record record = {0};
  cusp_status status = CUSP_OK;
  for (int64_t i = 0; status == CUSP_OK && i < count; i++) {
    status = cusp_csv_read(self->csv, rows[i], &record);
    if (status == CUSP_OK)
      status = store_row(self, rows[i], &record, i, out);
  }
  cusp_csv_record_free(&record);
  return status;
}

static cusp_status copy_outputs(csv_reader *self, int n_outputs, const cusp_csv_output *outputs) {
  int n_cells = 0;
  for (int k = 0; k < n_outputs; k++)
    n_cells += outputs[k].n_cells;
  CUSP_TRY(cusp_alloc((void **)&self->outputs, (size_t)n_outputs * sizeof *outputs));
  CUSP_TRY(cusp_alloc((void **)&self->cells, (size_t)n_cells * sizeof *self->cells));
  cusp_csv_cell *to = self->cells;
  for (int k = 0; k < n_outputs; k++) {
    cusp_shape shape = {.ndim = outputs[k].vector ? 1 : 0, .size = {outputs[k].n_cells}};
    memcpy(to, outputs[k].cells, (size_t)outputs[k].n_cells * sizeof *to);
    self->outputs[k] = outputs[k];
    self->outputs[k].cells = to;
    to += outputs[k].n_cells;
    CUSP_TRY(cusp_column_set(&self->base.columns[k], outputs[k].dtype, &shape));
  }
  return CUSP_OK;
}

cusp_status cusp_reader_csv(cusp_reader **out, cusp_csv *csv, int n_outputs,
                            const cusp_csv_output *outputs) {
  cusp_reader *made;
  *out = NULL;
  CUSP_TRY(cusp_reader_new(&made, sizeof(csv_reader), n_outputs));
  csv_reader *self = (csv_reader *)made;
  retain(csv);
  self->csv = csv;
  made->rows = csv->rows;
  made->read = csv_read;
  made->free = csv_free;
  cusp_status status = copy_outputs(self, n_outputs, outputs);
  if (status != CUSP_OK)
    cusp_reader_release(made);
  else
    *out = made;
  return status;
}
