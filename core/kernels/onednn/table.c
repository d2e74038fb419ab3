/* What onednn.so offers, its engine and stream. */

#include "../../base/status.h"
#include "onednn_adapter.h"

#include <omp.h>
#include <pthread.h>

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void) {
  if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success)
    engine = NULL;
  else if (dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) != dnnl_success)
    stream = NULL;
}

dnnl_engine_t cusp_onednn_engine(void) {
  pthread_once(&once, start);
  return stream ? engine : NULL;
}

dnnl_stream_t cusp_onednn_stream(void) {
  pthread_once(&once, start);
  return stream;
}

int cusp_onednn_enter(void) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  return threads;
}

void cusp_onednn_leave(int entered) { omp_set_num_threads(entered); }

dnnl_status_t cusp_onednn_execute(dnnl_primitive_t primitive, int count,
                                  const dnnl_exec_arg_t *arguments) {
  const int threads = cusp_onednn_enter();
  const dnnl_status_t status =
      dnnl_primitive_execute(primitive, cusp_onednn_stream(), count, arguments);
  cusp_onednn_leave(threads);
  return status;
}

const char *cusp_onednn_status_text(dnnl_status_t status) {
  switch (status) {
  case dnnl_success: return "oneDNN: no error";
  case dnnl_out_of_memory: return "oneDNN: out of memory";
  case dnnl_invalid_arguments: return "oneDNN: arguments that do not fit together";
  case dnnl_unimplemented: return "oneDNN: not implemented";
  default: return "oneDNN: a runtime error";
  }
}

CUSP_EXPORT extern const cusp_onednn cusp_onednn_table;
const cusp_onednn cusp_onednn_table = {
    .version = CUSP_ONEDNN_VERSION,
    .convolution_new = cusp_onednn_convolution_new,
    .convolution_workspace = cusp_onednn_convolution_workspace,
    .convolution_packed = cusp_onednn_convolution_packed,
    .convolution_manner = cusp_onednn_convolution_manner,
    .convolution_pack = cusp_onednn_convolution_pack,
    .convolution_run = cusp_onednn_convolution_run,
    .convolution_free = cusp_onednn_convolution_free,
    .convolution_name = cusp_onednn_convolution_name,
    .product_new = cusp_onednn_product_new,
    .product_packed = cusp_onednn_product_packed,
    .product_pack = cusp_onednn_product_pack,
    .product_workspace = cusp_onednn_product_workspace,
    .product_run = cusp_onednn_product_run,
    .product_free = cusp_onednn_product_free,
};
