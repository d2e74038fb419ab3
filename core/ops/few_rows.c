/* Few rows times a steady matrix, which a BLAS would pack for each product: it is kept in panels,
 * or read as it lies. */
#include "matmul_kernels.h"

#include "../base/memory.h"
#include "../kernels/panels.h"
#include "kept_kernels.h"

/* Elements of a right factor from which it is worth while: what is smaller stays in a cache. */
#define LEAST_RIGHT ((int64_t)1 << 15)
/* Rows up to which it is, with a kept factor, and with one that is packed in each run. */
#define MOST_ROWS 96
#define MOST_PLAIN_ROWS 48

/** The product as one of panels, without its arrays; m is 0 where it is none. */
static cusp_panels product_of(const cusp_call *call) {
  const cusp_array *a = &call->inputs[0], *b = &call->inputs[1];
  cusp_panels p = {0};
  if (a->shape.ndim < 1 || b->shape.ndim != 2 || !cusp_array_is_contiguous(a) ||
      !cusp_array_is_contiguous(b))
    return p;
  p.k = b->shape.size[0];
  p.n = b->shape.size[1];
  p.a = (cusp_panel_rows){.row = p.k, .column = 1};
  if (p.k * p.n >= LEAST_RIGHT)
    p.m = cusp_array_count(a) / p.k;
  return p;
}

bool cusp_few_rows_can_run(const cusp_call *call) {
  if (!call->recurs || !(call->steady & 2) || call->inputs[0].dtype != CUSP_FLOAT32 ||
      !cusp_panel_loops_find())
    return false;
  const cusp_panels p = product_of(call);
  return p.m > 0 && p.m <= (cusp_panels_read_plain(p.m, p.k, p.n) ? MOST_PLAIN_ROWS : MOST_ROWS);
}

typedef struct few_rows_state {
  cusp_panels panels;
  cusp_kept_kernel kept;
} few_rows_state;

cusp_status cusp_few_rows_prepare(cusp_call *call) {
  few_rows_state *state;
  CUSP_TRY(cusp_alloc_zeroed((void **)&state, sizeof *state));
  state->panels = product_of(call);
  const cusp_panels *p = &state->panels;
  call->kept_bytes = cusp_panels_read_plain(p->m, p->k, p->n) ? 0 : cusp_panels_bytes(p->k, p->n);
  call->state = state;
  return CUSP_OK;
}

/** The right factor as the product reads it. */
static cusp_status set_right(cusp_call *call, few_rows_state *state) {
  cusp_panels *p = &state->panels;
  if (cusp_panels_read_plain(p->m, p->k, p->n)) {
    p->plain = call->inputs[1].data;
    return CUSP_OK;
  }
  CUSP_TRY(cusp_panels_form(call, NULL, &state->kept, p->k, p->n, 0));
  p->packed = cusp_form_bytes(state->kept.form);
  return CUSP_OK;
}

cusp_status cusp_few_rows_run(cusp_call *call) {
  few_rows_state *state = call->state;
  CUSP_TRY(set_right(call, state));
  state->panels.a.a = call->inputs[0].data;
  state->panels.c = call->outputs[0].data;
  cusp_panels_run(&state->panels);
  return CUSP_OK;
}

void cusp_few_rows_release(cusp_call *call) {
  few_rows_state *state = call->state;
  if (state)
    cusp_form_release(state->kept.form);
  cusp_free(state);
  call->state = NULL;
}
