/* How much memory there is: what asks for more is refused before it is begun. */
#include "limits.h"

#include "memory.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/** The number that a file begins with; UINT64_MAX where there is none (a control group without a
 * limit says "max"). */
static uint64_t read_number(const char *path) {
  uint64_t number;
  FILE *file = fopen(path, "r");
  if (!file)
    return UINT64_MAX;
  if (fscanf(file, "%" SCNu64, &number) != 1)
    number = UINT64_MAX;
  fclose(file);
  return number;
}

static uint64_t find_limit(void) {
  struct rlimit space;
  uint64_t limit = least(read_number("/sys/fs/cgroup/memory.max"),
                         read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0)
    limit = least(limit, (uint64_t)pages * (uint64_t)page);
  if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
    limit = least(limit, space.rlim_cur);
  return limit;
}

/* Asked for once: programs set their limits before they start. */
uint64_t cusp_memory_limit(void) {
  static _Atomic uint64_t kept;
  uint64_t limit = atomic_load_explicit(&kept, memory_order_relaxed);
  if (limit == 0) {
    limit = find_limit();
    atomic_store_explicit(&kept, limit, memory_order_relaxed);
  }
  return limit;
}
