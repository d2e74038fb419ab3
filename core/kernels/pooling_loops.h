/*
 * Pooling loops for one float type. No include guard: the including file defines REAL and NAME(name). Channels are taken in
 * blocks, whose greatest values and marks stay on the stack.
 */

/** The pixel under element `index` of the window at `o`; NULL in the padding. */
static inline const REAL *NAME(pixel)(const cusp_pooling *p, const REAL *x, const cusp_position *o, int64_t index, int64_t *offset) {
  const cusp_position k = cusp_position_of(index, p->windows.size);
  int64_t at[CUSP_WINDOW_AXES];
  if (!cusp_window_input(&p->windows, o->at, k.at, at))
    return NULL;
  *offset = cusp_position_index(o->batch, at, p->windows.input) * p->channels;
  return x + *offset;
}

static inline void NAME(raise)(int64_t n, REAL *greatest, const REAL *x) {
  for (int64_t c = 0; c < n; c++)
    greatest[c] = (x[c] > greatest[c]) | (x[c] != x[c]) ? x[c] : greatest[c];
}

/** greatest[c] over the window for channels first .. first + n - 1. */
static void NAME(greatest)(const cusp_pooling *p, const REAL *x, const cusp_position *o, int64_t first, int64_t n, REAL *greatest) {
  int64_t offset;
  for (int64_t c = 0; c < n; c++)
    greatest[c] = (REAL)-__builtin_inf();
  for (int64_t index = 0; index < cusp_window_count(p->windows.size); index++) {
    const REAL *pixel = NAME(pixel)(p, x, o, index, &offset);
    if (pixel)
      NAME(raise)(n, greatest, pixel + first);
  }
}

static void NAME(max)(void *context, int64_t begin, int64_t end) {
  const cusp_pooling_task *t = context;
  const cusp_pooling *p = t->pooling;
  for (int64_t position = begin; position < end; position++) {
    const cusp_position o = cusp_position_of(position, p->windows.output);
    NAME(greatest)(p, t->a, &o, 0, p->channels, (REAL *)t->out + position * p->channels);
  }
}

/** Adds dy to dx, or takes y from g, where x is the greatest of its window for the first time. */
static void NAME(visit_greatest)(const cusp_pooling *p, const REAL *x, const cusp_position *o, int64_t first, int64_t n, const REAL *dy,
                                 REAL *dx, const REAL *g, REAL *y) {
  REAL greatest[BLOCK], open[BLOCK]; /* open: 1 until the greatest was met */
  int64_t offset;
  NAME(greatest)(p, x, o, first, n, greatest);
  for (int64_t c = 0; c < n; c++)
    open[c] = 1;
  for (int64_t index = 0; index < cusp_window_count(p->windows.size); index++) {
    const REAL *pixel = NAME(pixel)(p, x, o, index, &offset);
    if (!pixel)
      continue;
    pixel += first;
    for (int64_t c = 0; c < n; c++) {
      const bool met = (pixel[c] == greatest[c]) & (open[c] != 0);
      open[c] = met ? 0 : open[c];
      if (dx)
        dx[offset + first + c] += met ? dy[first + c] : 0;
      else
        y[first + c] = met ? g[offset + first + c] : y[first + c];
    }
  }
}

static void NAME(max_gradient)(void *context, int64_t begin, int64_t end) {
  const cusp_pooling_task *t = context;
  const cusp_pooling *p = t->pooling;
  const int64_t positions = cusp_window_count(p->windows.output), image = cusp_window_count(p->windows.input) * p->channels;
  memset((REAL *)t->out + begin * image, 0, (size_t)((end - begin) * image) * sizeof(REAL));
  for (int64_t position = begin * positions; position < end * positions; position++) {
    const cusp_position o = cusp_position_of(position, p->windows.output);
    const REAL *dy = (const REAL *)t->b + position * p->channels;
    for (int64_t first = 0; first < p->channels; first += BLOCK)
      NAME(visit_greatest)(p, t->a, &o, first, p->channels - first < BLOCK ? p->channels - first : BLOCK, dy, t->out, NULL, NULL);
  }
}

static void NAME(max_pick)(void *context, int64_t begin, int64_t end) {
  const cusp_pooling_task *t = context;
  const cusp_pooling *p = t->pooling;
  for (int64_t position = begin; position < end; position++) {
    const cusp_position o = cusp_position_of(position, p->windows.output);
    REAL *y = (REAL *)t->out + position * p->channels;
    memset(y, 0, (size_t)p->channels * sizeof(REAL));
    for (int64_t first = 0; first < p->channels; first += BLOCK)
      NAME(visit_greatest)(p, t->a, &o, first, p->channels - first < BLOCK ? p->channels - first : BLOCK, NULL, NULL, t->b, y);
  }
}

/** 1 / how many elements of the window at `o` are not padding. */
static REAL NAME(share)(const cusp_windows *w, const cusp_position *o) {
  int64_t count = 1;
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++) {
    const int64_t from = o->at[axis] * w->stride[axis] - w->low[axis], to = from + w->size[axis];
    count *= (to < w->input[axis] ? to : w->input[axis]) - (from > 0 ? from : 0);
  }
  return 1 / (REAL)(count > 0 ? count : 1);
}

static void NAME(average)(void *context, int64_t begin, int64_t end) {
  const cusp_pooling_task *t = context;
  const cusp_pooling *p = t->pooling;
  for (int64_t position = begin; position < end; position++) {
    const cusp_position o = cusp_position_of(position, p->windows.output);
    const REAL share = NAME(share)(&p->windows, &o);
    REAL *y = (REAL *)t->out + position * p->channels;
    int64_t offset;
    memset(y, 0, (size_t)p->channels * sizeof(REAL));
    for (int64_t index = 0; index < cusp_window_count(p->windows.size); index++) {
      const REAL *pixel = NAME(pixel)(p, t->a, &o, index, &offset);
      if (pixel)
        for (int64_t c = 0; c < p->channels; c++)
          y[c] += pixel[c];
    }
    for (int64_t c = 0; c < p->channels; c++)
      y[c] *= share;
  }
}

static void NAME(average_gradient)(void *context, int64_t begin, int64_t end) {
  const cusp_pooling_task *t = context;
  const cusp_pooling *p = t->pooling;
  const int64_t positions = cusp_window_count(p->windows.output), image = cusp_window_count(p->windows.input) * p->channels;
  memset((REAL *)t->out + begin * image, 0, (size_t)((end - begin) * image) * sizeof(REAL));
  for (int64_t position = begin * positions; position < end * positions; position++) {
    const cusp_position o = cusp_position_of(position, p->windows.output);
    const REAL share = NAME(share)(&p->windows, &o);
    const REAL *dy = (const REAL *)t->a + position * p->channels;
    int64_t offset;
    for (int64_t index = 0; index < cusp_window_count(p->windows.size); index++)
      if (NAME(pixel)(p, t->out, &o, index, &offset))
        for (int64_t c = 0; c < p->channels; c++)
          ((REAL *)t->out)[offset + c] += share * dy[c];
  }
}
