#include "transport.h"

#include <stdbool.h>

static bool sum_alone(void *data, size_t count, cusp_transport_type type, char *message,
                      size_t bytes) {
  (void)data, (void)count, (void)type, (void)message, (void)bytes;
  return true;
}

static const cusp_transport alone = {.rank = 0, .size = 1, .sum = sum_alone};
static const cusp_transport *current = &alone;

const cusp_transport *cusp_transport_get(void) { return current; }

void cusp_transport_set(const cusp_transport *transport) {
  current = transport ? transport : &alone;
}
