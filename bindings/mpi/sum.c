/* Sums over all processes: whole, by the rows that are not zero, or rounded to bfloat16. */
#include "native.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct sum_job {
  cusp_mpi_job job;
  cusp_transport_sum sum;
  struct sum_job *next;
} sum_job;

static const size_t sizes[] = {4, 8, 4, 8};

/* MPI counts in ints. Through the memory of one machine, pieces that fit into caches go fastest. */
static size_t piece_bytes(void) {
  return cusp_mpi_state.one_machine ? (size_t)1 << 20 : (size_t)1 << 30;
}

static bool has_failed(cusp_mpi_job *job, int code) {
  if (code != MPI_SUCCESS)
    snprintf(job->message, sizeof job->message, "MPI failed with code %d", code);
  return code != MPI_SUCCESS;
}

/* ------------------------------------------------------------------ injected delays */

bool cusp_mpi_set_delay(const char *text) {
  char *end;
  double microseconds = strtod(text, &end), gigabits = 0;
  if (end == text || (*end != ',' && *end))
    return false;
  if (*end == ',') {
    const char *rest = end + 1;
    gigabits = strtod(rest, &end);
    if (end == rest || *end)
      return false;
  }
  cusp_mpi_state.latency = microseconds * 1e-6;
  cusp_mpi_state.bandwidth = gigabits * 1e9 / 8;
  return microseconds >= 0 && gigabits >= 0;
}

/* What a ring of machines would take for a message. */
static void delay(size_t bytes) {
  double p = cusp_mpi_state.size, seconds = cusp_mpi_state.latency * ceil(log2(p));
  if (cusp_mpi_state.bandwidth > 0)
    seconds += 2 * (p - 1) / p * (double)bytes / cusp_mpi_state.bandwidth;
  if (seconds > 0)
    nanosleep(
        &(struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)(fmod(seconds, 1) * 1e9)},
        NULL);
}

/* ------------------------------------------------------------------ all of it */

static MPI_Datatype type_of(cusp_transport_type type) {
  switch (type) {
  case CUSP_TRANSPORT_FLOAT64: return MPI_DOUBLE;
  case CUSP_TRANSPORT_INT32: return MPI_INT32_T;
  case CUSP_TRANSPORT_INT64: return MPI_INT64_T;
  default: return MPI_FLOAT;
  }
}

static bool add_up(cusp_mpi_job *job, void *data, size_t count, size_t size, MPI_Datatype type,
                   MPI_Op op) {
  const size_t most = piece_bytes() / size;
  for (size_t begin = 0; begin < count; begin += most) {
    size_t piece = count - begin < most ? count - begin : most;
    if (has_failed(job, MPI_Allreduce(MPI_IN_PLACE, (char *)data + begin * size, (int)piece, type,
                                      op, cusp_mpi_among(job))))
      return false;
  }
  delay(count * size);
  return true;
}

bool cusp_mpi_add_up(cusp_mpi_job *job, void *data, size_t count, cusp_transport_type type) {
  return add_up(job, data, count, sizes[type], type_of(type), MPI_SUM);
}

static bool add_whole(sum_job *s, void *data, size_t count) {
  return cusp_mpi_add_up(&s->job, data, count, s->sum.type);
}

/* ------------------------------------------------------------------ in bfloat16 */

static uint16_t narrow(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if (x != x)
    return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float wide(uint16_t x) {
  uint32_t bits = (uint32_t)x << 16;
  float y;
  memcpy(&y, &bits, sizeof y);
  return y;
}

static void add_bfloat16(void *in, void *inout, int *count, MPI_Datatype *type) {
  const uint16_t *x = in;
  uint16_t *y = inout;
  (void)type;
  for (int i = 0; i < *count; i++)
    y[i] = narrow(wide(x[i]) + wide(y[i]));
}

static MPI_Op bfloat16_sum(void) {
  static MPI_Op op = MPI_OP_NULL;
  if (op == MPI_OP_NULL)
    MPI_Op_create(add_bfloat16, true, &op);
  return op;
}

static bool add_in_bfloat16(sum_job *s, float *data, size_t count) {
  uint16_t *half = malloc(count * sizeof *half + 1);
  if (!half)
    return add_whole(s, data, count);
  for (size_t i = 0; i < count; i++)
    half[i] = narrow(data[i]);
  bool done = add_up(&s->job, half, count, sizeof *half, MPI_UINT16_T, bfloat16_sum());
  for (size_t i = 0; i < count; i++)
    data[i] = wide(half[i]);
  free(half);
  return done;
}

static bool add(sum_job *s, void *data, size_t count) {
  if (s->sum.as_bfloat16 && s->sum.type == CUSP_TRANSPORT_FLOAT32)
    return add_in_bfloat16(s, data, count);
  return add_whole(s, data, count);
}

/* ------------------------------------------------------------------ by rows */

static bool is_zero(const unsigned char *bytes, size_t count) {
  return count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0);
}

static void mark_rows(const sum_job *s, unsigned char *marks, size_t row) {
  const unsigned char *data = s->sum.data;
  for (size_t i = 0; i < s->sum.rows; i++)
    if (!is_zero(data + i * row, row))
      marks[i / 8] |= (unsigned char)(1 << i % 8);
}

static bool is_marked(const unsigned char *marks, size_t row) {
  return marks[row / 8] >> row % 8 & 1;
}

static size_t count_marks(const unsigned char *marks, size_t rows) {
  size_t count = 0;
  for (size_t i = 0; i < rows; i++)
    count += is_marked(marks, i);
  return count;
}

static void move_rows(const sum_job *s, const unsigned char *marks, size_t row, char *packed,
                      bool back) {
  char *data = s->sum.data;
  for (size_t i = 0; i < s->sum.rows; i++) {
    if (!is_marked(marks, i))
      continue;
    memcpy(back ? data + i * row : packed, back ? packed : data + i * row, row);
    packed += row;
  }
}

/* The rows that some process has, side by side; the others are zeros in all. */
static bool add_marked(sum_job *s, const unsigned char *marks, size_t rows, size_t row) {
  char *packed = malloc(rows * row + 1);
  if (!packed) {
    snprintf(s->job.message, sizeof s->job.message, "not enough memory for %zu rows", rows);
    return false;
  }
  move_rows(s, marks, row, packed, false);
  bool done = add(s, packed, rows * row / sizes[s->sum.type]);
  move_rows(s, marks, row, packed, true);
  free(packed);
  return done;
}

/* All of them, where more than half would travel anyway. */
static bool add_rows(sum_job *s) {
  const size_t rows = s->sum.rows, row = s->sum.count / rows * sizes[s->sum.type];
  unsigned char *marks = calloc(rows / 8 + 1, 1);
  if (!marks) {
    snprintf(s->job.message, sizeof s->job.message, "not enough memory to mark %zu rows", rows);
    return false;
  }
  mark_rows(s, marks, row);
  bool done = add_up(&s->job, marks, rows / 8 + 1, 1, MPI_UNSIGNED_CHAR, MPI_BOR);
  size_t marked = count_marks(marks, rows);
  if (done)
    done =
        marked > rows / 2 ? add(s, s->sum.data, s->sum.count) : add_marked(s, marks, marked, row);
  free(marks);
  return done;
}

static bool run(cusp_mpi_job *job) {
  sum_job *s = (sum_job *)job;
  return s->sum.rows ? add_rows(s) : add(s, s->sum.data, s->sum.count);
}

/* ------------------------------------------------------------------ the transport */

static sum_job *begun; /* by this process's one computing thread; the newest first */

static uint64_t start(const cusp_transport_sum *sum, char *message, size_t bytes) {
  static const char *const names[] = {"float32", "float64", "int32", "int64"};
  sum_job *s = calloc(1, sizeof *s);
  if (!s) {
    snprintf(message, bytes, "rank %d: not enough memory", cusp_mpi_state.rank);
    return 0;
  }
  s->sum = *sum;
  s->job.among = cusp_mpi_state.sharers;
  s->job.run = run;
  snprintf(s->job.what, sizeof s->job.what, "a sum of %zu %s%s%s", sum->count, names[sum->type],
           sum->as_bfloat16 ? " in bfloat16" : "", sum->rows ? " by rows" : "");
  s->next = begun;
  begun = s;
  cusp_mpi_submit(&s->job);
  return s->job.number;
}

static sum_job *take_begun(uint64_t number) {
  sum_job **link = &begun, *s;
  while ((*link)->job.number != number)
    link = &(*link)->next;
  s = *link;
  *link = s->next;
  return s;
}

/* MPI may still know of a job that was given up, so that stays. */
static bool wait_for(uint64_t number, cusp_span *span, char *message, size_t bytes) {
  sum_job *s = take_begun(number);
  bool done = cusp_mpi_wait(&s->job);
  *span = (cusp_span){s->job.begin, s->job.end};
  if (!done)
    snprintf(message, bytes, "%s", s->job.message);
  else
    free(s);
  return done;
}

cusp_transport *cusp_mpi_transport(void) {
  static cusp_transport transport = {.start = start,
                                     .wait = wait_for,
                                     .sum_group = cusp_mpi_sum_group,
                                     .gather_group = cusp_mpi_gather_group};
  transport.rank = cusp_mpi_state.rank;
  transport.size = cusp_mpi_state.size;
  return &transport;
}
