#include "convolution_parts.h"

#include <math.h>
#include <string.h>

#define LEAST_WORK ((double)(1 << 18)) /* multiplications of a part: some 5 us */
#define DEPTHWISE 8                    /* of one channel, a multiplication takes so much longer */
#define MANY_IMAGES 4                  /* of so many for each thread, one more hardly counts */
#define MOST_BANDS 8 /* of one image where there are enough images for all threads */

/* ------------------------------------------------------------------ how to cut */

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static bool is_pointwise(const cusp_windows *w) {
  for (int axis = 0; axis < CUSP_WINDOW_AXES; axis++)
    if (w->size[axis] != 1 || w->stride[axis] != 1 || w->low[axis] != 0 ||
        w->input[axis] != w->output[axis])
      return false;
  return true;
}

/** All positions of all images as one image of one axis. */
static void flatten(cusp_windows *w) {
  const int last = CUSP_WINDOW_AXES - 1;
  const int64_t positions = w->batch * cusp_window_count(w->input);
  for (int axis = 0; axis < last; axis++)
    w->input[axis] = w->output[axis] = 1;
  w->input[last] = w->output[last] = positions;
  w->batch = 1;
}

/** The first axis that is one, across which bands lie one behind the other in memory. */
static int first_axis(const cusp_windows *w) {
  int axis = 0;
  while (axis < CUSP_WINDOW_AXES - 1 && w->input[axis] == 1 && w->output[axis] == 1)
    axis++;
  return axis;
}

/**
 * How many threads pay. The slices of a kernel's gradient make one each, which are summed: more
 * than sqrt(positions / 8) take longer to sum than they save.
 */
static int64_t useful_threads(const cusp_convolution *c, cusp_convolution_face face, int threads) {
  const cusp_windows *w = &c->windows;
  const double positions = (double)w->batch * (double)cusp_window_count(w->output);
  const double work = positions * (double)cusp_window_count(w->size) *
                      (double)(c->channels / c->groups) * (double)c->filters;
  const double cost = c->groups > 1 && c->groups == c->channels ? DEPTHWISE : 1;
  double most = fmin(threads, work * cost / LEAST_WORK);
  if (face == CUSP_CONVOLUTION_KERNEL_GRADIENT)
    most = fmin(most, sqrt(positions / 8));
  return most > 1 ? (int64_t)most : 1;
}

static bool shares_well(int64_t parts, int64_t threads) {
  const int64_t rounds = (parts + threads - 1) / threads;
  return 10 * parts >= 9 * rounds * threads;
}

/** Into how many bands each image is cut; few where they can be shared out well. */
static int64_t bands_for(int64_t images, int64_t rows, int64_t threads) {
  const int64_t enough = (threads + images - 1) / images;
  int64_t bands = enough;
  while (bands < enough * MOST_BANDS && !shares_well(images * bands, threads))
    bands++;
  return least(bands, rows);
}

cusp_convolution_cut cusp_convolution_cut_for(const cusp_convolution *convolution,
                                              cusp_convolution_face face, int threads,
                                              bool whole_images) {
  cusp_convolution_cut cut = {.whole = *convolution, .face = face, .groups = 1, .bands = 1};
  cusp_windows *w = &cut.whole.windows;
  for (int axis = 0; axis < CUSP_WINDOW_AXES && face == CUSP_CONVOLUTION_FORWARD; axis++)
    cut.dropped[axis] = cusp_window_trim(w, axis);
  const int64_t useful = useful_threads(convolution, face, threads);
  if (useful == 1)
    return cut;
  if (whole_images || w->batch % useful == 0 || w->batch >= MANY_IMAGES * useful) {
    cut.groups = least(w->batch, useful);
    return cut;
  }
  if (is_pointwise(w))
    flatten(w);
  cut.axis = first_axis(w);
  cut.groups = w->batch;
  cut.bands = bands_for(
      w->batch, face == CUSP_CONVOLUTION_INPUT_GRADIENT ? w->input[cut.axis] : w->output[cut.axis],
      useful);
  return cut;
}

/* ------------------------------------------------------------------ the parts */

typedef struct range {
  int64_t first, end;
} range;

static range share(int64_t count, int64_t parts, int64_t index) {
  return (range){count * index / parts, count * (index + 1) / parts};
}

/** The input under the windows of a range of outputs. */
static range inputs_of(const cusp_windows *w, int axis, range outputs) {
  const int64_t extent = (w->size[axis] - 1) * w->dilation[axis] + 1;
  const int64_t first = outputs.first * w->stride[axis] - w->low[axis];
  const int64_t end = (outputs.end - 1) * w->stride[axis] - w->low[axis] + extent;
  return (range){first > 0 ? first : 0, least(end, w->input[axis])};
}

/** The outputs whose windows reach into a range of the input. */
static range outputs_of(const cusp_windows *w, int axis, range inputs) {
  const int64_t extent = (w->size[axis] - 1) * w->dilation[axis] + 1, stride = w->stride[axis];
  const int64_t after = inputs.first + w->low[axis] - extent; /* the last window ends before */
  const int64_t first = after < 0 ? 0 : after / stride + 1;
  const int64_t end = (inputs.end - 1 + w->low[axis]) / stride + 1;
  return (range){first, least(end, w->output[axis])};
}

static int64_t size_of(range r) { return r.end - r.first; }

static int64_t inner_count(const int64_t sizes[CUSP_WINDOW_AXES], int axis) {
  int64_t count = 1;
  for (int i = axis + 1; i < CUSP_WINDOW_AXES; i++)
    count *= sizes[i];
  return count;
}

/** Narrows a part to a band; the windows stand where they stood. */
static bool set_band(cusp_convolution_part *part, int axis, range inputs, range outputs) {
  cusp_convolution *c = &part->convolution;
  cusp_windows *w = &c->windows;
  if (size_of(inputs) <= 0 || size_of(outputs) <= 0)
    return false;
  w->low[axis] += inputs.first - outputs.first * w->stride[axis];
  part->x += inputs.first * inner_count(w->input, axis) * c->channels;
  part->y += outputs.first * inner_count(w->output, axis) * c->filters;
  w->input[axis] = size_of(inputs);
  w->output[axis] = size_of(outputs);
  return true;
}

bool cusp_convolution_part_of(cusp_convolution_part *out, const cusp_convolution_cut *cut,
                              int64_t index) {
  const cusp_windows *w = &cut->whole.windows;
  const range images = share(w->batch, cut->groups, index / cut->bands);
  *out = (cusp_convolution_part){
      .convolution = cut->whole,
      .x = images.first * cusp_window_count(w->input) * cut->whole.channels,
      .y = images.first * cusp_window_count(w->output) * cut->whole.filters};
  out->convolution.windows.batch = size_of(images);
  if (cut->bands == 1)
    return true;
  const bool of_inputs = cut->face == CUSP_CONVOLUTION_INPUT_GRADIENT;
  const range band =
      share(of_inputs ? w->input[cut->axis] : w->output[cut->axis], cut->bands, index % cut->bands);
  return of_inputs ? set_band(out, cut->axis, band, outputs_of(w, cut->axis, band))
                   : set_band(out, cut->axis, inputs_of(w, cut->axis, band), band);
}
