#include "kept_kernels.h"

#include "../base/memory.h"
#include "../kernels/panels.h"

#include <string.h>

static int64_t offset_of(const cusp_array *x) {
  return (const char *)x->data - (const char *)x->storage->data;
}

/** How the form is made: the manner, and the scale itself. Plans compute one each, with the same
 * numbers, and are to share the form. */
static cusp_status describe_form(void **out, size_t *bytes, const void *manner, size_t manner_bytes,
                                 const cusp_array *scale) {
  const size_t scale_bytes = scale ? (size_t)cusp_array_count(scale) * sizeof(float) : 0;
  *bytes = manner_bytes + scale_bytes;
  CUSP_TRY(cusp_alloc(out, *bytes));
  memcpy(*out, manner, manner_bytes);
  if (scale)
    memcpy((char *)*out + manner_bytes, scale->data, scale_bytes);
  return CUSP_OK;
}

static cusp_kernel_origin origin_of(const cusp_array *kernel, const cusp_array *scale) {
  return (cusp_kernel_origin){
      .stamps = {cusp_storage_stamp(kernel->storage),
                 scale ? cusp_storage_stamp(scale->storage) : 0},
      .offsets = {offset_of(kernel), scale ? offset_of(scale) : 0},
  };
}

static bool same_origin(const cusp_kernel_origin *a, const cusp_kernel_origin *b) {
  return memcmp(a->stamps, b->stamps, sizeof a->stamps) == 0 &&
         memcmp(a->offsets, b->offsets, sizeof a->offsets) == 0;
}

cusp_status cusp_kernel_form(cusp_call *call, const cusp_array *scale, cusp_kept_kernel *kept,
                             const void *manner, size_t manner_bytes, size_t bytes, bool *fill) {
  const cusp_kernel_origin origin = origin_of(&call->inputs[1], scale);
  *fill = false;
  if (kept->form && cusp_form_bytes(kept->form) && same_origin(&kept->origin, &origin))
    return CUSP_OK;
  cusp_form_release(kept->form);
  *kept = (cusp_kept_kernel){.origin = origin};
  void *described;
  cusp_form_key key = {.stamp = origin.stamps[0], .offset = origin.offsets[0]};
  CUSP_TRY(describe_form(&described, &key.manner_bytes, manner, manner_bytes, scale));
  key.manner = described;
  cusp_status status = cusp_form_get(&kept->form, &key, bytes, fill);
  cusp_free(described);
  return status;
}

cusp_status cusp_panels_form(cusp_call *call, const cusp_array *scale, cusp_kept_kernel *kept,
                             int64_t k, int64_t n, int64_t offset) {
  static const char panels[] = "panels";
  const struct {
    const char *name;
    int64_t k, n, offset;
  } manner = {panels, k, n, offset};
  bool fill;
  CUSP_TRY(cusp_kernel_form(call, scale, kept, &manner, sizeof manner, call->kept_bytes, &fill));
  if (!fill)
    return CUSP_OK;
  cusp_panels_pack(k, n, (const float *)call->inputs[1].data + offset, scale ? scale->data : NULL,
                   cusp_form_bytes(kept->form));
  cusp_form_filled(kept->form);
  return CUSP_OK;
}
