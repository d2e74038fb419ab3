#include "moments.h"

#include "../base/memory.h"
#include "../base/threads.h"

#define CHUNK (1 << 15) /* elements of a chunk, at least: some 5 us */
#define MOST_CHUNKS 32
#define LEAST_ROWS 8

static cusp_dtype wide(const cusp_moments *m) {
  return m->dtype == CUSP_FLOAT64 ? CUSP_FLOAT64 : CUSP_FLOAT32;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t chunks_of(const cusp_moments *m) {
  const int64_t chunks =
      least(least(m->rows * m->columns / CHUNK, m->rows / LEAST_ROWS), MOST_CHUNKS);
  return chunks > 1 ? chunks : 1;
}

static size_t state_bytes(const cusp_moments *m) {
  const int64_t tile = m->columns > CUSP_MOMENTS_TILE ? m->columns : CUSP_MOMENTS_TILE;
  const int64_t widened = m->dtype == wide(m) ? 0 : tile;
  const int64_t count = 2 * m->columns + 3 * cusp_moments_width(m->columns) + widened;
  return cusp_aligned_size((size_t)count * cusp_dtype_size(wide(m)));
}

size_t cusp_moments_workspace(const cusp_moments *m) {
  return (size_t)chunks_of(m) * state_bytes(m);
}

void cusp_moments_run(const cusp_moments *m, const void *x, void *mean, void *variance,
                      void *workspace) {
  const cusp_moments_loops *loops = CUSP_ISA_CHOOSE_FLOAT(cusp_moments_table, wide(m));
  cusp_moments_task task = {.moments = m,
                            .chunks = chunks_of(m),
                            .x = x,
                            .mean = mean,
                            .variance = variance,
                            .states = workspace,
                            .state_bytes = state_bytes(m)};
  cusp_parallel_for(task.chunks, 1, loops->run, &task);
  loops->finish(&task);
}
