#include "depthwise.h"

#include "../base/threads.h"

#define LEAST_WORK ((double)(1 << 17)) /* multiplications of a group of images */
#define MOST_GROUPS 16
#define MOST_CHANNELS 256 /* whose sums stay in the first-level cache */
#define LINE 16           /* channels in a line of it */
#define GRAIN 32768       /* multiplications that are worth a thread */

typedef struct task {
  const cusp_convolution *c;
  int64_t groups, count; /* of images; elements of the kernel */
  int64_t blocks, block; /* of channels; channels of one */
  const float *x, *dy;
  float *sums; /* of the groups, one behind the other */
  float *out;
} task;

static int64_t kernel_count(const cusp_convolution *c) {
  return cusp_window_count(c->windows.size) * c->channels;
}

static double work_of(const cusp_convolution *c) {
  return (double)c->windows.batch * (double)cusp_window_count(c->windows.output) *
         (double)kernel_count(c);
}

static int64_t groups_of(const cusp_convolution *c) {
  const double wanted = work_of(c) / LEAST_WORK;
  const int64_t most = c->windows.batch < MOST_GROUPS ? c->windows.batch : MOST_GROUPS;
  return wanted < 1 ? 1 : wanted < (double)most ? (int64_t)wanted : most;
}

size_t cusp_depthwise_workspace(const cusp_convolution *c) {
  const int64_t groups = groups_of(c);
  return groups > 1 ? (size_t)(groups * kernel_count(c)) * sizeof(float) : 0;
}

static void run_parts(void *context, int64_t begin, int64_t end) {
  const task *t = context;
  const int64_t images = t->c->windows.batch;
  const cusp_depthwise_loops run = *CUSP_ISA_CHOOSE(cusp_depthwise_table);
  for (int64_t i = begin; i < end; i++) {
    const int64_t group = i / t->blocks, first = i % t->blocks * t->block;
    const int64_t left = t->c->channels - first;
    run(&(cusp_depthwise_part){.convolution = t->c,
                               .first_image = images * group / t->groups,
                               .end_image = images * (group + 1) / t->groups,
                               .first_channel = first,
                               .channels = left < t->block ? left : t->block,
                               .x = t->x,
                               .dy = t->dy,
                               .sums = t->sums + group * t->count});
  }
}

static void sum_groups(void *context, int64_t begin, int64_t end) {
  const task *t = context;
  for (int64_t i = begin; i < end; i++) {
    float sum = t->sums[i];
    for (int64_t group = 1; group < t->groups; group++)
      sum += t->sums[group * t->count + i];
    t->out[i] = sum;
  }
}

void cusp_depthwise_kernel_gradient(const cusp_convolution *c, const float *x, const float *dy,
                                    float *dkernel, void *workspace) {
  task t = {
      .c = c, .groups = groups_of(c), .count = kernel_count(c), .x = x, .dy = dy, .out = dkernel};
  const int64_t blocks = (c->channels + MOST_CHANNELS - 1) / MOST_CHANNELS;
  t.block = ((c->channels + blocks - 1) / blocks + LINE - 1) / LINE * LINE;
  t.blocks = (c->channels + t.block - 1) / t.block;
  t.sums = t.groups > 1 ? workspace : dkernel;
  const double each = work_of(c) / (double)(t.groups * t.blocks);
  cusp_parallel_for(t.groups * t.blocks, (int64_t)(GRAIN / (each + 1)) + 1, run_parts, &t);
  if (t.groups > 1)
    cusp_parallel_for(t.count, GRAIN / t.groups, sum_groups, &t);
}
