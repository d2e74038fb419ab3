#include "onednn.h"

#include "../base/library.h"
#include "../base/status.h"

#include <pthread.h>

static const cusp_onednn *table;
static char failure[512];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  table = cusp_library_load("onednn.so", CUSP_ONEDNN_SYMBOL, CUSP_ONEDNN_VERSION, failure,
                            sizeof failure);
}

const cusp_onednn *cusp_onednn_load(void) {
  pthread_once(&once, load);
  if (!table)
    cusp_fail(CUSP_EBACKEND, "oneDNN is not available (Debian package libdnnl2): %s", failure);
  return table;
}
