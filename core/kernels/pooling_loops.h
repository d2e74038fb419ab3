/*
 * Pooling loops for one float type. No include guard: the including file defines REAL and
 * NAME(name). Channels are taken in blocks, whose greatest values and marks stay on the
 * stack. */

/* Runs the statement that follows for each pixel of a box: `offset` is where its channels begin. */
#define FOR_PIXELS(p, o, box)                                                                    \
  for (int64_t depth = (box).begin[0]; depth < (box).end[0]; depth++)                            \
    for (int64_t height = (box).begin[1]; height < (box).end[1]; height++)                       \
      for (int64_t row = (((o)->batch * (p)->windows.input[0] + depth) * (p)->windows.input[1] + \
                          height) *                                                              \
                         (p)->windows.input[2],                                                  \
                   offset = (row + (box).begin[2]) * (p)->channels,                              \
                   stop = (row + (box).end[2]) * (p)->channels;                                  \
           offset < stop; offset += (p)->channels)

static inline void NAME(raise)(int64_t n, REAL *greatest, const REAL *x) {
  for (int64_t c = 0; c < n; c++)
    greatest[c] = (x[c] > greatest[c]) | (x[c] != x[c]) ? x[c] : greatest[c];
}

/** greatest[c] over the window for channels first .. first + n - 1. */
static inline void NAME(greatest)(const cusp_pooling *p, const REAL *x, const cusp_position *o,
                                  const box *window, int64_t first, int64_t n, REAL *greatest) {
  for (int64_t c = 0; c < n; c++)
    greatest[c] = (REAL)-__builtin_inf();
  FOR_PIXELS(p, o, *window)
  NAME(raise)(n, greatest, x + offset + first);
}

static void NAME(max)(void *context, int64_t begin, int64_t end) {
  const cusp_pooling_task *t = context;
  const cusp_pooling *p = t->pooling;
  cusp_position o = cusp_position_of(begin, p->windows.output);
  for (int64_t position = begin; position < end; position++, advance(&o, p->windows.output)) {
    const box window = window_at(&p->windows, &o);
    NAME(greatest)(p, t->a, &o, &window, 0, p->channels, (REAL *)t->out + position * p->channels);
  }
}

/** Adds dy to dx where x is the greatest of its window for the first time. */
static void NAME(give_to_greatest)(const cusp_pooling *p, const REAL *x, const cusp_position *o,
                                   const box *window, int64_t first, int64_t n, const REAL *dy,
                                   REAL *dx) {
  REAL greatest[BLOCK], left[BLOCK]; /* left: of dy, until the greatest was met */
  NAME(greatest)(p, x, o, window, first, n, greatest);
  memcpy(left, dy + first, (size_t)n * sizeof(REAL));
  FOR_PIXELS(p, o, *window) {
    const REAL *pixel = x + offset + first;
    REAL *to = dx + offset + first;
    for (int64_t c = 0; c < n; c++) {
      const REAL given = pixel[c] == greatest[c] ? left[c] : 0;
      to[c] += given;
      left[c] = pixel[c] == greatest[c] ? 0 : left[c];
    }
  }
}

static void NAME(max_gradient)(void *context, int64_t begin, int64_t end) {
  const cusp_pooling_task *t = context;
  const cusp_pooling *p = t->pooling;
  const int64_t positions = cusp_window_count(p->windows.output),
                image = cusp_window_count(p->windows.input) * p->channels;
  cusp_position o = cusp_position_of(begin * positions, p->windows.output);
  memset((REAL *)t->out + begin * image, 0, (size_t)((end - begin) * image) * sizeof(REAL));
  for (int64_t position = begin * positions; position < end * positions;
       position++, advance(&o, p->windows.output)) {
    const box window = window_at(&p->windows, &o);
    const REAL *dy = (const REAL *)t->b + position * p->channels;
    for (int64_t first = 0; first < p->channels; first += BLOCK)
      NAME(give_to_greatest)
    (p, t->a, &o, &window, first, p->channels - first < BLOCK ? p->channels - first : BLOCK, dy,
     t->out);
  }
}

/** Takes y from g where x is the greatest of its window for the first time. */
static void NAME(take_from_greatest)(const cusp_pooling *p, const REAL *x, const cusp_position *o,
                                     const box *window, int64_t first, int64_t n, const REAL *g,
                                     REAL *y) {
  REAL greatest[BLOCK], open[BLOCK]; /* open: 1 until the greatest was met */
  NAME(greatest)(p, x, o, window, first, n, greatest);
  for (int64_t c = 0; c < n; c++)
    open[c] = 1;
  FOR_PIXELS(p, o, *window) {
    const REAL *pixel = x + offset + first, *from = g + offset + first;
    for (int64_t c = 0; c < n; c++) {
      const bool met = (pixel[c] == greatest[c]) & (open[c] != 0);
      y[first + c] = met ? from[c] : y[first + c];
      open[c] = met ? 0 : open[c];
    }
  }
}

static void NAME(max_pick)(void *context, int64_t begin, int64_t end) {
  const cusp_pooling_task *t = context;
  const cusp_pooling *p = t->pooling;
  cusp_position o = cusp_position_of(begin, p->windows.output);
  for (int64_t position = begin; position < end; position++, advance(&o, p->windows.output)) {
    const box window = window_at(&p->windows, &o);
    REAL *y = (REAL *)t->out + position * p->channels;
    memset(y, 0, (size_t)p->channels * sizeof(REAL));
    for (int64_t first = 0; first < p->channels; first += BLOCK)
      NAME(take_from_greatest)
    (p, t->a, &o, &window, first, p->channels - first < BLOCK ? p->channels - first : BLOCK, t->b,
     y);
  }
}

static void NAME(average)(void *context, int64_t begin, int64_t end) {
  const cusp_pooling_task *t = context;
  const cusp_pooling *p = t->pooling;
  const REAL *x = t->a;
  cusp_position o = cusp_position_of(begin, p->windows.output);
  for (int64_t position = begin; position < end; position++, advance(&o, p->windows.output)) {
    const box window = window_at(&p->windows, &o);
    const REAL share = 1 / (REAL)pixels_of(&window);
    REAL *y = (REAL *)t->out + position * p->channels;
    memset(y, 0, (size_t)p->channels * sizeof(REAL));
    FOR_PIXELS(p, &o, window)
    for (int64_t c = 0; c < p->channels; c++)
      y[c] += x[offset + c];
    for (int64_t c = 0; c < p->channels; c++)
      y[c] *= share;
  }
}

static void NAME(average_gradient)(void *context, int64_t begin, int64_t end) {
  const cusp_pooling_task *t = context;
  const cusp_pooling *p = t->pooling;
  const int64_t positions = cusp_window_count(p->windows.output),
                image = cusp_window_count(p->windows.input) * p->channels;
  REAL *dx = t->out;
  cusp_position o = cusp_position_of(begin * positions, p->windows.output);
  memset(dx + begin * image, 0, (size_t)((end - begin) * image) * sizeof(REAL));
  for (int64_t position = begin * positions; position < end * positions;
       position++, advance(&o, p->windows.output)) {
    const box window = window_at(&p->windows, &o);
    const REAL share = 1 / (REAL)pixels_of(&window);
    const REAL *dy = (const REAL *)t->a + position * p->channels;
    FOR_PIXELS(p, &o, window)
    for (int64_t c = 0; c < p->channels; c++)
      dx[offset + c] += share * dy[c];
  }
}

#undef FOR_PIXELS
