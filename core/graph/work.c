/* Bytes and operations of calls. */
#include "work.h"

double cusp_bytes_of(const cusp_array *array) {
  double count = 1;
  for (int i = 0; i < array->shape.ndim; i++)
    if (array->strides[i] != 0 || array->shape.size[i] == 0)
      count *= (double)array->shape.size[i];
  return count * (double)cusp_dtype_size(array->dtype);
}

double cusp_bytes_of_call(const cusp_call *call) {
  double bytes = 0;
  for (int i = 0; i < call->n_inputs; i++)
    bytes += cusp_bytes_of(&call->inputs[i]);
  for (int i = 0; i < call->n_outputs; i++)
    bytes += cusp_bytes_of(&call->outputs[i]);
  return bytes;
}

double cusp_work_of_call(const cusp_call *call) {
  if (call->op->work)
    return call->op->work(call);
  double work = 0;
  for (int i = 0; i < call->n_outputs; i++)
    work += (double)cusp_shape_count(&call->outputs[i].shape);
  return work;
}
