#include "pipeline.h"

#include "../base/memory.h"
#include "../base/threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MESSAGE_BYTES 1024
#define POLL_SECONDS 0.02     /* how often a waiting reader looks for Ctrl-C */
#define GROUP_ROWS 256        /* single rows are read in groups of up to so many */
#define GROUP_BYTES (1 << 18) /* or so many bytes */

/* One place of the ring: filled by one worker, then emptied by the consumer. */
typedef struct slot {
  bool ready;
  int64_t rows;       /* 0: the stream ended here */
  int64_t taken;      /* single rows: how many were handed out */
  cusp_array *arrays; /* [rows, ...] of each column */
  cusp_status status;
  char message[MESSAGE_BYTES];
} slot;

/* What a worker reads with. */
typedef struct worker {
  cusp_pipeline *pipeline;
  pthread_t thread;
  bool started;
  int64_t *rows;
} worker;

struct cusp_pipeline {
  cusp_reader *reader;
  cusp_stream *stream;
  cusp_transform *transforms;
  bool batched;
  int n_workers, depth;
  /* cusp_fork_count when the threads were started: they are not in a child of a later fork */
  int forks;
  int64_t width; /* most rows in a slot */
  int64_t keep;  /* decoded rows that the reader was asked to keep */
  worker *workers;
  slot *slots;
  cusp_array *current; /* the element that was peeked at */
  bool has_current;
  pthread_mutex_t lock;
  pthread_cond_t filled, emptied;
  bool synchronised; /* lock and conditions exist */
  /* Under the lock: */
  int64_t next_fill, next_take; /* numbers of elements; a slot is number % depth */
  bool stop, ended;             /* ended: the stream has no more, or failed */
};

int cusp_pipeline_n_columns(const cusp_pipeline *p) { return p->reader->n_columns; }

/* ------------------------------------------------------------------ workers */

static cusp_status new_column(const cusp_pipeline *p, int k, cusp_dtype dtype, int64_t rows,
                              cusp_array *out) {
  cusp_shape shape = {.ndim = p->reader->columns[k].shape.ndim + 1, .size = {rows}};
  memcpy(shape.size + 1, p->reader->columns[k].shape.size,
         (size_t)(shape.ndim - 1) * sizeof *shape.size);
  return cusp_array_new(out, dtype, &shape);
}

/* Columns that are cast are read into arrays of their own dtype first. */
static cusp_status read_rows(const cusp_pipeline *p, const int64_t *rows, int64_t count,
                             cusp_array *read, void **places) {
  for (int k = 0; k < p->reader->n_columns; k++) {
    CUSP_TRY(new_column(p, k, p->transforms[k].in, count, &read[k]));
    places[k] = read[k].data;
  }
  return p->reader->read(p->reader, rows, count, places);
}

static cusp_status transform_column(const cusp_pipeline *p, int k, cusp_array *read,
                                    cusp_array *out) {
  if (cusp_transform_is_identity(&p->transforms[k])) {
    *out = *read;
    *read = (cusp_array){0};
    return CUSP_OK;
  }
  CUSP_TRY(new_column(p, k, p->transforms[k].out, read->shape.size[0], out));
  cusp_transform_run(&p->transforms[k], cusp_array_count(read), read->data, out->data);
  return CUSP_OK;
}

static cusp_status make_element(const cusp_pipeline *p, const int64_t *rows, int64_t count,
                                cusp_array *out) {
  int n = p->reader->n_columns;
  cusp_array *read;
  CUSP_TRY(cusp_alloc_zeroed((void **)&read, (size_t)n * (sizeof *read + sizeof(void *))));
  cusp_status status = read_rows(p, rows, count, read, (void **)(read + n));
  for (int k = 0; status == CUSP_OK && k < n; k++)
    status = transform_column(p, k, &read[k], &out[k]);
  for (int k = 0; k < n; k++) {
    cusp_array_release(&read[k]);
    if (status != CUSP_OK)
      cusp_array_release(&out[k]);
  }
  cusp_free(read);
  return status;
}

/* The rows of the next slot: those of a batch, or as many single ones as a group has. The lock is
 * held. */
static cusp_status draw_rows(cusp_pipeline *p, int64_t *rows, int64_t *count) {
  if (p->batched)
    return cusp_stream_next(p->stream, rows, count);
  *count = 0;
  for (int64_t one = 1; *count < p->width && one > 0; *count += one)
    CUSP_TRY(cusp_stream_next(p->stream, rows + *count, &one));
  return CUSP_OK;
}

static void keep_failure(slot *s, cusp_status status) {
  s->status = status;
  snprintf(s->message, sizeof s->message, "%s", cusp_error_message());
}

/* Claims the next slot and its rows; NULL when there is nothing more to do. The lock is held. */
static slot *claim(cusp_pipeline *p, int64_t *rows) {
  while (!p->stop && !p->ended && p->next_fill - p->next_take >= p->depth)
    pthread_cond_wait(&p->emptied, &p->lock);
  if (p->stop || p->ended)
    return NULL;
  slot *s = &p->slots[p->next_fill++ % p->depth];
  s->status = CUSP_OK;
  s->taken = 0;
  cusp_status status = draw_rows(p, rows, &s->rows);
  if (status != CUSP_OK)
    keep_failure(s, status);
  if (status == CUSP_OK && s->rows > 0)
    return s;
  p->ended = s->ready = true;
  pthread_cond_broadcast(&p->filled);
  pthread_cond_broadcast(&p->emptied);
  return NULL;
}

static void *work(void *context) {
  worker *w = context;
  cusp_pipeline *p = w->pipeline;
  pthread_mutex_lock(&p->lock);
  for (slot *s; (s = claim(p, w->rows)) != NULL;) {
    pthread_mutex_unlock(&p->lock);
    cusp_status status = make_element(p, w->rows, s->rows, s->arrays);
    if (status != CUSP_OK)
      keep_failure(s, status);
    pthread_mutex_lock(&p->lock);
    s->ready = true;
    pthread_cond_signal(&p->filled);
  }
  pthread_mutex_unlock(&p->lock);
  return NULL;
}

/* ------------------------------------------------------------------ taking */

static void wait_a_little(cusp_pipeline *p) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += (long)(POLL_SECONDS * 1e9);
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_cond_timedwait(&p->filled, &p->lock, &until);
}

static bool lost_in_fork(const cusp_pipeline *p) {
  return p->synchronised && p->forks != cusp_fork_count();
}

/* Waits for the slot of the next element. */
static cusp_status wait_for_slot(cusp_pipeline *p, slot **out) {
  slot *s = *out = &p->slots[p->next_take % p->depth];
  if (lost_in_fork(p))
    return cusp_fail(CUSP_EUNSUPPORTED, "the process was forked while this dataset was being "
                                        "read, and the threads that read it are "
                                        "the parent's: begin a new loop over it in the child");
  pthread_mutex_lock(&p->lock);
  while (!(p->next_fill > p->next_take && s->ready) && !cusp_interrupted())
    wait_a_little(p);
  bool ready = p->next_fill > p->next_take && s->ready;
  pthread_mutex_unlock(&p->lock);
  return ready ? CUSP_OK : cusp_fail(CUSP_EINTERRUPT, "interrupted!");
}

static void give_back(cusp_pipeline *p, slot *s) {
  pthread_mutex_lock(&p->lock);
  s->ready = false;
  p->next_take++;
  pthread_cond_signal(&p->emptied);
  pthread_mutex_unlock(&p->lock);
}

/* Row `row` of a group, as an array of its own. */
static cusp_status copy_row(const cusp_array *group, int64_t row, cusp_array *out) {
  cusp_shape shape = {.ndim = group->shape.ndim - 1};
  memcpy(shape.size, group->shape.size + 1, (size_t)shape.ndim * sizeof *shape.size);
  CUSP_TRY(cusp_array_new(out, group->dtype, &shape));
  size_t bytes = (size_t)cusp_shape_count(&shape) * cusp_dtype_size(group->dtype);
  memcpy(out->data, (const char *)group->data + (size_t)row * bytes, bytes);
  return CUSP_OK;
}

static cusp_status next_row(cusp_pipeline *p, slot *s) {
  int n = p->reader->n_columns;
  for (int k = 0; k < n; k++) {
    cusp_status status = copy_row(&s->arrays[k], s->taken, &p->current[k]);
    if (status == CUSP_OK)
      continue;
    while (k-- > 0)
      cusp_array_release(&p->current[k]);
    return status;
  }
  p->has_current = true;
  if (++s->taken < s->rows)
    return CUSP_OK;
  for (int k = 0; k < n; k++)
    cusp_array_release(&s->arrays[k]);
  give_back(p, s);
  return CUSP_OK;
}

static void next_batch(cusp_pipeline *p, slot *s) {
  memcpy(p->current, s->arrays, (size_t)p->reader->n_columns * sizeof *p->current);
  memset(s->arrays, 0, (size_t)p->reader->n_columns * sizeof *p->current);
  p->has_current = true;
  give_back(p, s);
}

cusp_status cusp_pipeline_peek(cusp_pipeline *p, const cusp_array **arrays) {
  *arrays = NULL;
  if (!p->has_current) {
    slot *s;
    CUSP_TRY(wait_for_slot(p, &s));
    if (s->status != CUSP_OK)
      /* stays where it is: asking again fails again */
      return cusp_fail(s->status, "%s", s->message);
    if (s->rows == 0)
      return CUSP_OK;
    if (p->batched)
      next_batch(p, s);
    else
      CUSP_TRY(next_row(p, s));
  }
  *arrays = p->current;
  return CUSP_OK;
}

bool cusp_pipeline_skip(cusp_pipeline *p) {
  slot *s;
  if (p->has_current || wait_for_slot(p, &s) != CUSP_OK || s->status == CUSP_OK || s->rows == 0)
    return false;
  give_back(p, s);
  return true;
}

void cusp_pipeline_take(cusp_pipeline *p, cusp_array *arrays) {
  memcpy(arrays, p->current, (size_t)p->reader->n_columns * sizeof *arrays);
  memset(p->current, 0, (size_t)p->reader->n_columns * sizeof *arrays);
  p->has_current = false;
}

/* ------------------------------------------------------------------ making and freeing */

/* Rows of a group: small ones many at once, so that handing a slot over costs little for each. */
static int64_t group_rows(const cusp_reader *reader) {
  size_t bytes = 1;
  for (int k = 0; k < reader->n_columns; k++)
    bytes += reader->columns[k].bytes;
  int64_t rows = (int64_t)(GROUP_BYTES / bytes);
  return rows < 1 ? 1 : rows > GROUP_ROWS ? GROUP_ROWS : rows;
}

static cusp_status check_columns(const cusp_reader *reader) {
  for (int k = 0; k < reader->n_columns; k++)
    if (reader->columns[k].shape.ndim >= CUSP_MAX_DIMS)
      return cusp_fail(
          CUSP_EUNSUPPORTED,
          "rows of shape %s have no room for the axis of a batch: at most %d axes are supported",
          cusp_shape_text(&reader->columns[k].shape), CUSP_MAX_DIMS);
  return CUSP_OK;
}

static cusp_status make_slots(cusp_pipeline *p) {
  size_t n = (size_t)p->reader->n_columns;
  CUSP_TRY(cusp_alloc_zeroed((void **)&p->slots, (size_t)p->depth * sizeof *p->slots));
  for (int i = 0; i < p->depth; i++)
    CUSP_TRY(cusp_alloc_zeroed((void **)&p->slots[i].arrays, n * sizeof(cusp_array)));
  CUSP_TRY(cusp_alloc_zeroed((void **)&p->current, n * sizeof(cusp_array)));
  CUSP_TRY(cusp_alloc_zeroed((void **)&p->workers, (size_t)p->n_workers * sizeof *p->workers));
  for (int i = 0; i < p->n_workers; i++) {
    size_t bytes;
    CUSP_TRY(cusp_multiply_size(&bytes, (size_t)p->width, sizeof(int64_t)));
    CUSP_TRY(cusp_alloc((void **)&p->workers[i].rows, bytes));
  }
  return CUSP_OK;
}

static void make_locks(cusp_pipeline *p) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->filled, &attributes);
  pthread_cond_init(&p->emptied, &attributes);
  pthread_condattr_destroy(&attributes);
  p->synchronised = true;
}

/* Signals are for the main thread. A stack of 256 KiB is enough, and counts where memory is
 * limited. */
static cusp_status start_workers(cusp_pipeline *p) {
  pthread_attr_t attributes;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  int failure = 0;
  for (int i = 0; i < p->n_workers && failure == 0; i++) {
    p->workers[i].pipeline = p;
    failure = pthread_create(&p->workers[i].thread, &attributes, work, &p->workers[i]);
    p->workers[i].started = failure == 0;
  }
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return failure == 0 ? CUSP_OK
                      : cusp_fail(CUSP_EBACKEND, "no thread for reading data could be started: %s",
                                  strerror(failure));
}

static void keep_rows(cusp_pipeline *p, int64_t rows) {
  if (p->reader->keep && rows != 0)
    p->reader->keep(p->reader, rows);
  p->keep += rows;
}

static cusp_status set_up(cusp_pipeline *p, const cusp_pipeline_options *options) {
  CUSP_TRY(check_columns(p->reader));
  size_t bytes = (size_t)p->reader->n_columns * sizeof *p->transforms;
  CUSP_TRY(cusp_alloc((void **)&p->transforms, bytes));
  memcpy(p->transforms, options->transforms, bytes);
  p->batched = options->batched;
  int64_t single = options->single ? 1 : group_rows(p->reader);
  p->width = p->batched ? cusp_stream_width(p->stream) : single;
  p->n_workers = options->workers;
  p->depth = options->depth > options->workers ? options->depth : options->workers;
  CUSP_TRY(make_slots(p));
  make_locks(p);
  p->forks = cusp_fork_count();
  keep_rows(p, options->keep);
  return start_workers(p);
}

cusp_status cusp_pipeline_new(cusp_pipeline **out, const cusp_pipeline_options *options) {
  cusp_pipeline *p;
  *out = NULL;
  cusp_status status = cusp_alloc_zeroed((void **)&p, sizeof *p);
  if (status != CUSP_OK) {
    cusp_stream_free(options->stream);
    return status;
  }
  p->reader = options->reader;
  cusp_reader_retain(p->reader);
  p->stream = options->stream;
  status = set_up(p, options);
  if (status != CUSP_OK)
    cusp_pipeline_free(p);
  else
    *out = p;
  return status;
}

static void stop_workers(cusp_pipeline *p) {
  if (!p->synchronised)
    return;
  pthread_mutex_lock(&p->lock);
  p->stop = true;
  pthread_cond_broadcast(&p->emptied);
  pthread_mutex_unlock(&p->lock);
  for (int i = 0; i < p->n_workers; i++)
    if (p->workers[i].started)
      pthread_join(p->workers[i].thread, NULL);
  pthread_mutex_destroy(&p->lock);
  pthread_cond_destroy(&p->filled);
  pthread_cond_destroy(&p->emptied);
}

static void release_arrays(cusp_array *arrays, int count) {
  for (int k = 0; arrays && k < count; k++)
    cusp_array_release(&arrays[k]);
  cusp_free(arrays);
}

void cusp_pipeline_free(cusp_pipeline *p) {
  if (!p || lost_in_fork(p)) /* what the threads were at, and their locks, stay as they are */
    return;
  stop_workers(p);
  keep_rows(p, -p->keep);
  for (int i = 0; p->slots && i < p->depth; i++)
    release_arrays(p->slots[i].arrays, p->reader->n_columns);
  for (int i = 0; p->workers && i < p->n_workers; i++)
    cusp_free(p->workers[i].rows);
  release_arrays(p->current, p->reader->n_columns);
  cusp_free(p->slots);
  cusp_free(p->workers);
  cusp_free(p->transforms);
  cusp_stream_free(p->stream);
  cusp_reader_release(p->reader);
  cusp_free(p);
}
