/*
 * Registers of one float type. A template, no include guard: included with REAL (the type), LANES
 * (how many of them a register holds) and NAME(x) (x made unique) defined.
 */

typedef REAL NAME(vec)
    __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

static inline NAME(vec) NAME(load)(const REAL *p) { return *(const NAME(vec) *)p; }

/* Sums run in two chains of registers, so that an addition need not wait for the one before. */
static inline REAL NAME(total)(NAME(vec) a, NAME(vec) b) {
  a += b;
  REAL sum = 0;
  for (int i = 0; i < LANES; i++)
    sum += a[i];
  return sum;
}
