#include "transport.h"
#include "threads.h"

#include <stdbool.h>

static uint64_t start_alone(const cusp_transport_sum *sum, char *message, size_t bytes) {
  (void)sum, (void)message, (void)bytes;
  return 1;
}

static bool wait_alone(uint64_t number, cusp_span *span, char *message, size_t bytes) {
  (void)number, (void)message, (void)bytes;
  *span = (cusp_span){0};
  return true;
}

static const cusp_transport alone = {
    .rank = 0, .size = 1, .start = start_alone, .wait = wait_alone};
static const cusp_transport *current = &alone;

const cusp_transport *cusp_transport_get(void) { return current; }

void cusp_transport_set(cusp_transport *transport) {
  if (transport)
    transport->interrupted = cusp_interrupted;
  current = transport ? transport : &alone;
}
