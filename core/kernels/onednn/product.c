/*
 * Products of float32 matrices by oneDNN, each on the calling thread: the right factor is brought
 * into whatever blocked form the primitive wants at every run, the others are read where they lie.
 */

#include "onednn_adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cusp_onednn_product {
  dnnl_primitive_desc_t descriptor;
  dnnl_primitive_t primitive, reorder; /* reorder: NULL where the factor is taken as it is */
  dnnl_memory_t a, b, plain_b, c, scratchpad;
  size_t packed_bytes, workspace_bytes;
};

static dnnl_status_t describe(dnnl_memory_desc_t *out, int64_t rows, int64_t columns, int64_t ld,
                              bool trans) {
  const dnnl_dims_t sizes = {rows, columns}, strides = {trans ? 1 : ld, trans ? ld : 1};
  return dnnl_memory_desc_init_by_strides(out, 2, sizes, dnnl_f32, strides);
}

static const dnnl_memory_desc_t *wanted_b(const cusp_onednn_product *p) {
  return dnnl_primitive_desc_query_md(p->descriptor, dnnl_query_weights_md, 0);
}

typedef struct descriptors {
  dnnl_memory_desc_t a, b, plain_b, c;
} descriptors;

/* Blocks of one product share the packed right factor: what the first wants. */
static dnnl_status_t describe_all(descriptors *d, const cusp_onednn_factors *f,
                                  const cusp_onednn_product *like) {
  const dnnl_dims_t sizes = {f->k, f->n};
  dnnl_status_t status = describe(&d->a, f->m, f->k, f->lda, false);
  if (status == dnnl_success)
    status = describe(&d->plain_b, f->k, f->n, f->ldb, f->trans_b);
  if (status == dnnl_success)
    status = describe(&d->c, f->m, f->n, f->ldc, false);
  if (like)
    d->b = *wanted_b(like);
  else if (status == dnnl_success)
    status = dnnl_memory_desc_init_by_tag(&d->b, 2, sizes, dnnl_f32, dnnl_format_tag_any);
  return status;
}

static dnnl_status_t create_primitive(cusp_onednn_product *p, const descriptors *d) {
  dnnl_matmul_desc_t desc;
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_status_t status = dnnl_matmul_desc_init(&desc, &d->a, &d->b, NULL, &d->c);
  if (status == dnnl_success)
    status = dnnl_primitive_attr_create(&attributes);
  if (status == dnnl_success)
    status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
  if (status == dnnl_success)
    status =
        dnnl_primitive_desc_create(&p->descriptor, &desc, attributes, cusp_onednn_engine(), NULL);
  if (status == dnnl_success)
    status = dnnl_primitive_create(&p->primitive, p->descriptor);
  if (attributes)
    dnnl_primitive_attr_destroy(attributes);
  return status;
}

static dnnl_status_t create_memory(dnnl_memory_t *out, const dnnl_memory_desc_t *desc) {
  return dnnl_memory_create(out, desc, cusp_onednn_engine(), DNNL_MEMORY_NONE);
}

static dnnl_status_t create_reorder(cusp_onednn_product *p, const dnnl_memory_desc_t *plain,
                                    const dnnl_memory_desc_t *wanted) {
  if (dnnl_memory_desc_equal(plain, wanted))
    return dnnl_success;
  dnnl_primitive_desc_t descriptor;
  dnnl_engine_t engine = cusp_onednn_engine();
  dnnl_status_t status =
      dnnl_reorder_primitive_desc_create(&descriptor, plain, engine, wanted, engine, NULL);
  if (status != dnnl_success)
    return status;
  status = dnnl_primitive_create(&p->reorder, descriptor);
  dnnl_primitive_desc_destroy(descriptor);
  return status;
}

static dnnl_status_t create_memories(cusp_onednn_product *p, const descriptors *d) {
  const dnnl_memory_desc_t *wanted = wanted_b(p);
  const dnnl_memory_desc_t *scratch =
      dnnl_primitive_desc_query_md(p->descriptor, dnnl_query_scratchpad_md, 0);
  dnnl_status_t status = create_reorder(p, &d->plain_b, wanted);
  if (status == dnnl_success)
    status = create_memory(&p->a, &d->a);
  if (status == dnnl_success)
    status = create_memory(&p->b, wanted);
  if (status == dnnl_success)
    status = create_memory(&p->plain_b, &d->plain_b);
  if (status == dnnl_success)
    status = create_memory(&p->c, &d->c);
  if (status == dnnl_success)
    status = create_memory(&p->scratchpad, scratch);
  p->packed_bytes = p->reorder ? (dnnl_memory_desc_get_size(wanted) + 63) / 64 * 64 : 0;
  p->workspace_bytes = (dnnl_memory_desc_get_size(scratch) + 63) / 64 * 64;
  return status;
}

/** Whether the implementation is the one that was measured to win. */
static bool is_fast(const cusp_onednn_product *p) {
  const char *name = NULL;
  dnnl_primitive_desc_query(p->descriptor, dnnl_query_impl_info_str, 0, (void *)&name);
  return name && strncmp(name, "brg", 3) == 0;
}

static dnnl_status_t create(cusp_onednn_product *p, const cusp_onednn_factors *f,
                            const cusp_onednn_product *like) {
  descriptors d;
  const int threads = cusp_onednn_enter();
  dnnl_status_t status = cusp_onednn_engine() ? describe_all(&d, f, like) : dnnl_runtime_error;
  if (status == dnnl_success)
    status = create_primitive(p, &d);
  if (status == dnnl_success)
    status = is_fast(p) ? create_memories(p, &d) : dnnl_unimplemented;
  cusp_onednn_leave(threads);
  return status;
}

void cusp_onednn_product_free(cusp_onednn_product *p) {
  if (!p)
    return;
  dnnl_memory_t memories[] = {p->a, p->b, p->plain_b, p->c, p->scratchpad};
  for (size_t i = 0; i < sizeof memories / sizeof *memories; i++)
    if (memories[i])
      dnnl_memory_destroy(memories[i]);
  if (p->reorder)
    dnnl_primitive_destroy(p->reorder);
  if (p->primitive)
    dnnl_primitive_destroy(p->primitive);
  if (p->descriptor)
    dnnl_primitive_desc_destroy(p->descriptor);
  free(p);
}

cusp_onednn_product *cusp_onednn_product_new(const cusp_onednn_factors *factors,
                                             const cusp_onednn_product *like) {
  cusp_onednn_product *p = calloc(1, sizeof *p);
  if (p && create(p, factors, like) == dnnl_success)
    return p;
  cusp_onednn_product_free(p);
  return NULL;
}

size_t cusp_onednn_product_packed(const cusp_onednn_product *p) { return p->packed_bytes; }
size_t cusp_onednn_product_workspace(const cusp_onednn_product *p) { return p->workspace_bytes; }

bool cusp_onednn_product_pack(cusp_onednn_product *p, const void *b, void *packed) {
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, p->plain_b}, {DNNL_ARG_TO, p->b}};
  dnnl_status_t status = dnnl_memory_set_data_handle(p->plain_b, (void *)b);
  if (status == dnnl_success)
    status = dnnl_memory_set_data_handle(p->b, packed);
  return status == dnnl_success && cusp_onednn_execute(p->reorder, 2, arguments) == dnnl_success;
}

static dnnl_status_t place(cusp_onednn_product *p, const void *a, const void *b, void *c,
                           void *workspace) {
  dnnl_status_t status = dnnl_memory_set_data_handle(p->a, (void *)a);
  if (status == dnnl_success)
    status = dnnl_memory_set_data_handle(p->b, (void *)b);
  if (status == dnnl_success)
    status = dnnl_memory_set_data_handle(p->c, c);
  if (status == dnnl_success)
    status = dnnl_memory_set_data_handle(p->scratchpad, workspace);
  return status;
}

bool cusp_onednn_product_run(cusp_onednn_product *p, const void *a, const void *b, void *c,
                             void *workspace) {
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, p->a},
                                       {DNNL_ARG_WEIGHTS, p->b},
                                       {DNNL_ARG_DST, p->c},
                                       {DNNL_ARG_SCRATCHPAD, p->scratchpad}};
  return place(p, a, b, c, workspace) == dnnl_success &&
         cusp_onednn_execute(p->primitive, 4, arguments) == dnnl_success;
}
