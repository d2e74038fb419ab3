/*
 * The three faces of a convolution as plain loops, for one float type. No include guard: the
 * including file defines REAL and NAME(name). Each is a cusp_range_fn over a task: the output
 * elements of one position (or of one row of the kernel) are made by one thread, in a fixed
 * order. */

/** y at the output positions begin <= p < end, flattened. */
static void NAME(forward)(void *context, int64_t begin, int64_t end) {
  const task *t = context;
  const cusp_convolution *c = t->convolution;
  const cusp_windows *w = &c->windows;
  const REAL *x = t->a, *kernel = t->b;
  const int64_t group_channels = c->channels / c->groups, group_filters = c->filters / c->groups;
  for (int64_t p = begin; p < end; p++) {
    const cusp_position o = cusp_position_of(p, w->output);
    REAL *y = (REAL *)t->out + p * c->filters;
    memset(y, 0, (size_t)c->filters * sizeof(REAL));
    for (int64_t index = 0; index < cusp_window_count(w->size); index++) {
      const cusp_position k = cusp_position_of(index, w->size);
      int64_t at[CUSP_WINDOW_AXES];
      if (!cusp_window_input(w, o.at, k.at, at))
        continue;
      const REAL *pixel = x + cusp_position_index(o.batch, at, w->input) * c->channels;
      for (int64_t group = 0; group < c->groups; group++)
        for (int64_t channel = 0; channel < group_channels; channel++) {
          const REAL factor = pixel[group * group_channels + channel];
          const REAL *row =
              kernel + (index * group_channels + channel) * c->filters + group * group_filters;
          for (int64_t filter = 0; filter < group_filters; filter++)
            y[group * group_filters + filter] += factor * row[filter];
        }
    }
  }
}

/** dx at the input positions begin <= p < end, flattened. */
static void NAME(input_gradient)(void *context, int64_t begin, int64_t end) {
  const task *t = context;
  const cusp_convolution *c = t->convolution;
  const cusp_windows *w = &c->windows;
  const REAL *dy = t->a, *kernel = t->b;
  const int64_t group_channels = c->channels / c->groups, group_filters = c->filters / c->groups;
  for (int64_t p = begin; p < end; p++) {
    const cusp_position i = cusp_position_of(p, w->input);
    REAL *dx = (REAL *)t->out + p * c->channels;
    memset(dx, 0, (size_t)c->channels * sizeof(REAL));
    for (int64_t index = 0; index < cusp_window_count(w->size); index++) {
      const cusp_position k = cusp_position_of(index, w->size);
      int64_t at[CUSP_WINDOW_AXES];
      if (!cusp_window_output(w, i.at, k.at, at))
        continue;
      const REAL *cotangent = dy + cusp_position_index(i.batch, at, w->output) * c->filters;
      for (int64_t group = 0; group < c->groups; group++)
        for (int64_t channel = 0; channel < group_channels; channel++) {
          const REAL *row =
              kernel + (index * group_channels + channel) * c->filters + group * group_filters;
          REAL sum = 0;
          for (int64_t filter = 0; filter < group_filters; filter++)
            sum += cotangent[group * group_filters + filter] * row[filter];
          dx[group * group_channels + channel] += sum;
        }
    }
  }
}

/** dkernel in the rows begin <= r < end of [size..., channels / groups]. */
static void NAME(kernel_gradient)(void *context, int64_t begin, int64_t end) {
  const task *t = context;
  const cusp_convolution *c = t->convolution;
  const cusp_windows *w = &c->windows;
  const REAL *x = t->a, *dy = t->b;
  const int64_t group_channels = c->channels / c->groups, group_filters = c->filters / c->groups;
  const int64_t positions = w->batch * cusp_window_count(w->output);
  for (int64_t r = begin; r < end; r++) {
    const cusp_position k = cusp_position_of(r / group_channels, w->size);
    const int64_t channel = r % group_channels;
    REAL *row = (REAL *)t->out + r * c->filters;
    memset(row, 0, (size_t)c->filters * sizeof(REAL));
    for (int64_t p = 0; p < positions; p++) {
      const cusp_position o = cusp_position_of(p, w->output);
      int64_t at[CUSP_WINDOW_AXES];
      if (!cusp_window_input(w, o.at, k.at, at))
        continue;
      const REAL *pixel = x + cusp_position_index(o.batch, at, w->input) * c->channels;
      const REAL *cotangent = dy + p * c->filters;
      for (int64_t group = 0; group < c->groups; group++) {
        const REAL factor = pixel[group * group_channels + channel];
        for (int64_t filter = 0; filter < group_filters; filter++)
          row[group * group_filters + filter] += factor * cotangent[group * group_filters + filter];
      }
    }
  }
}
