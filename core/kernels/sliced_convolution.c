#include "sliced_convolution.h"

#include "../base/memory.h"
#include "../base/threads.h"
#include "convolution_parts.h"
#include "onednn.h"
#include "vector.h"

#include <string.h>

#define LEAST_KERNEL (1 << 15) /* elements of a kernel that one thread packs */
#define LEAST_SUM (1 << 14)    /* elements of a kernel's gradient that one thread sums */

/** A part of the convolution, and the bytes before its own in the operands and the result. */
typedef struct slice {
  cusp_onednn_convolution *primitive;
  size_t a, b, out;
} slice;

struct cusp_sliced_convolution {
  const cusp_onednn *onednn;
  cusp_convolution_face face;
  int64_t kernel_count; /* elements as the slices have them, perhaps with padding */
  size_t kernel_bytes;
  size_t packed, workspace; /* packed: 0 where the kernel is taken as it is */
  bool pack_together;       /* by all threads */
  int64_t count;
  slice slices[];
};

/* ------------------------------------------------------------------ making */

static void set_offsets(const cusp_sliced_convolution *s, slice *part, int64_t index,
                        const cusp_convolution_part *of) {
  const size_t from = cusp_dtype_size(of->convolution.dtype);
  const size_t to = cusp_dtype_size(of->convolution.result);
  switch (s->face) {
  case CUSP_CONVOLUTION_FORWARD:
    part->a = (size_t)of->x * from;
    part->out = (size_t)of->y * to;
    break;
  case CUSP_CONVOLUTION_INPUT_GRADIENT:
    part->a = (size_t)of->y * from;
    part->out = (size_t)of->x * to;
    break;
  case CUSP_CONVOLUTION_KERNEL_GRADIENT:
    part->a = (size_t)of->x * from;
    part->b = (size_t)of->y * from;
    part->out = (size_t)index * s->kernel_bytes;
  }
}

/** The size of the kernel, known once one slice packs it. */
static void set_kernel(cusp_sliced_convolution *s, const cusp_convolution *c) {
  s->packed = s->onednn->convolution_packed(s->slices[0].primitive);
  s->kernel_count = cusp_window_count(c->windows.size) * (c->channels / c->groups) * c->filters;
  s->pack_together = c->groups == 1 && s->kernel_count >= LEAST_KERNEL;
  if (s->face == CUSP_CONVOLUTION_KERNEL_GRADIENT && s->packed > 0)
    s->kernel_count = (int64_t)(s->packed / sizeof(float));
  s->kernel_bytes = cusp_aligned_size((size_t)s->kernel_count * sizeof(float));
}

static bool make_slice(cusp_sliced_convolution *s, const cusp_convolution *convolution,
                       const cusp_convolution_cut *cut, int64_t index) {
  char message[256];
  cusp_convolution_part part;
  slice *made = &s->slices[index];
  if (!cusp_convolution_part_of(&part, cut, index))
    return false;
  cusp_onednn_slice wanted = {.convolution = part.convolution,
                              .like = index > 0 ? s->slices[0].primitive : NULL,
                              .part = (int)index,
                              .parts = (int)s->count};
  memcpy(wanted.kernel_size, convolution->windows.size, sizeof wanted.kernel_size);
  memcpy(wanted.dropped, cut->dropped, sizeof wanted.dropped);
  made->primitive = s->onednn->convolution_new(&wanted, s->face, message, sizeof message);
  if (!made->primitive)
    return false;
  if (index == 0)
    set_kernel(s, &cut->whole);
  set_offsets(s, made, index, &part);
  const size_t bytes = s->onednn->convolution_workspace(made->primitive);
  s->workspace = bytes > s->workspace ? bytes : s->workspace;
  return true;
}

/** *out is NULL where oneDNN has no fast implementation of all parts. */
static cusp_status make_slices(cusp_sliced_convolution **out, const cusp_convolution *convolution,
                               const cusp_convolution_cut *cut) {
  const int64_t count = cusp_convolution_parts(cut);
  cusp_sliced_convolution *s;
  *out = NULL;
  CUSP_TRY(cusp_alloc_zeroed((void **)&s, sizeof *s + (size_t)count * sizeof s->slices[0]));
  s->onednn = cusp_onednn_load();
  s->face = cut->face;
  s->count = count;
  bool made = true;
  for (int64_t i = 0; made && i < count; i++)
    made = make_slice(s, convolution, cut, i);
  if (made)
    *out = s;
  else
    cusp_sliced_convolution_free(s);
  return CUSP_OK;
}

cusp_status cusp_sliced_convolution_new(cusp_sliced_convolution **out,
                                        const cusp_convolution *convolution,
                                        cusp_convolution_face face) {
  const int threads = cusp_get_num_threads();
  for (int coarser = 0; coarser < 3; coarser++) { /* bands, then images, then one slice */
    const cusp_convolution_cut cut =
        cusp_convolution_cut_for(convolution, face, coarser < 2 ? threads : 1, coarser > 0);
    CUSP_TRY(make_slices(out, convolution, &cut));
    if (*out)
      return CUSP_OK;
  }
  return CUSP_OK;
}

void cusp_sliced_convolution_free(cusp_sliced_convolution *s) {
  for (int64_t i = 0; s && i < s->count; i++)
    s->onednn->convolution_free(s->slices[i].primitive);
  cusp_free(s);
}

/** Of a kernel's gradient, each slice makes one. */
static size_t kernels_bytes(const cusp_sliced_convolution *s) {
  if (s->face == CUSP_CONVOLUTION_KERNEL_GRADIENT)
    return s->count > 1 || s->packed > 0 ? (size_t)s->count * s->kernel_bytes : 0;
  return s->packed;
}

size_t cusp_sliced_convolution_workspace(const cusp_sliced_convolution *s) {
  return kernels_bytes(s) + (size_t)s->count * s->workspace;
}

/* ------------------------------------------------------------------ running */

typedef struct slices_run {
  const cusp_sliced_convolution *convolution;
  const char *a, *b;
  const void *shift;
  char *out;
  char *kernels, *workspace; /* kernels: packed, or their gradients */
  bool failed;               /* written with true alone */
} slices_run;

static void fail_unless(slices_run *run, bool ok) {
  if (!ok)
    __atomic_store_n(&run->failed, true, __ATOMIC_RELAXED);
}

static void run_slices(void *context, int64_t begin, int64_t end) {
  slices_run *run = context;
  const cusp_sliced_convolution *s = run->convolution;
  for (int64_t i = begin; i < end; i++) {
    const slice *part = &s->slices[i];
    const cusp_onednn_operands operands = {.a = run->a + part->a,
                                           .b = run->b + part->b,
                                           .shift = run->shift,
                                           .out = run->out + part->out,
                                           .workspace = run->workspace + (size_t)i * s->workspace};
    fail_unless(run, s->onednn->convolution_run(part->primitive, &operands));
  }
}

/** The kernel, or what its gradient becomes, is in out. */
static void pack_parts(void *context, int64_t begin, int64_t end) {
  slices_run *run = context;
  const cusp_sliced_convolution *s = run->convolution;
  for (int64_t i = begin; i < end; i++)
    fail_unless(run, s->onednn->convolution_pack(s->slices[i].primitive, run->out, run->kernels));
}

static void pack(slices_run *run) {
  const cusp_sliced_convolution *s = run->convolution;
  cusp_parallel_for(s->count, s->pack_together ? 1 : s->count, pack_parts, run);
}

static void sum_kernels(void *context, int64_t begin, int64_t end) {
  const slices_run *run = context;
  const cusp_sliced_convolution *s = run->convolution;
  const cusp_vector_fn add = cusp_vector_find(CUSP_VECTOR_add, CUSP_FLOAT32);
  const size_t offset = (size_t)begin * sizeof(float);
  const char *sum = run->kernels + offset;
  for (int64_t i = 1; i < s->count; i++) {
    const void *const operands[] = {sum, run->kernels + (size_t)i * s->kernel_bytes + offset};
    add(end - begin, run->out + offset, operands, (const int8_t[]){1, 1});
    sum = run->out + offset;
  }
}

static void run_gradient(slices_run *run) {
  const cusp_sliced_convolution *s = run->convolution;
  char *result = run->out;
  if (s->count > 1 || s->packed > 0)
    run->out = run->kernels;
  cusp_parallel_for(s->count, 1, run_slices, run);
  if (s->packed == 0)
    run->out = result;
  if (s->count > 1)
    cusp_parallel_for(s->kernel_count, LEAST_SUM, sum_kernels, run);
  run->out = result;
  if (s->packed > 0)
    pack(run);
}

size_t cusp_sliced_convolution_packed(const cusp_sliced_convolution *s) { return s->packed; }

const void *cusp_sliced_convolution_manner(const cusp_sliced_convolution *s, size_t *bytes) {
  return s->onednn->convolution_manner(s->slices[0].primitive, bytes);
}

bool cusp_sliced_convolution_pack(const cusp_sliced_convolution *s, const void *kernel,
                                  void *packed) {
  slices_run run = {.convolution = s, .out = (void *)kernel, .kernels = packed};
  pack(&run);
  return !run.failed;
}

bool cusp_sliced_convolution_run(const cusp_sliced_convolution *s,
                                 const cusp_convolution_operands *o) {
  const bool packed = o->packed && s->packed > 0;
  slices_run run = {.convolution = s,
                    .a = o->a,
                    .b = o->b,
                    .shift = o->shift,
                    .out = o->out,
                    .kernels = o->workspace,
                    .workspace = (char *)o->workspace + (packed ? 0 : kernels_bytes(s))};
  if (s->face == CUSP_CONVOLUTION_KERNEL_GRADIENT) {
    run_gradient(&run);
    return !run.failed;
  }
  if (s->packed > 0 && !packed) {
    run.failed = !cusp_sliced_convolution_pack(s, o->b, o->workspace);
    run.b = o->workspace;
  }
  if (!run.failed)
    cusp_parallel_for(s->count, 1, run_slices, &run);
  return !run.failed;
}
