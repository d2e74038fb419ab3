/*
 * The loops of cusp_gru_loops for one float type. A template, no include guard: included with REAL
 * (the type) and NAME(x) (x made unique) defined. The parts of a row do not overlap, which the
 * compiler has to be told (ivdep).
 */

static void NAME(gru_before_gates)(int64_t rows, int64_t units, void *parts, const void *bias,
                                   void *gates) {
  for (int64_t r = 0; r < rows; r++) {
    REAL *restrict p = (REAL *)parts + r * 4 * units, *restrict gate =
                                                          (REAL *)gates + r * 2 * units;
    const REAL *restrict input = bias, *restrict state = bias ? input + 3 * units : NULL;
#pragma GCC ivdep
    for (int64_t i = 0; i < 2 * units; i++)
      gate[i] = bias ? p[i] + input[i] + state[i] : p[i];
    if (!bias)
      continue;
#pragma GCC ivdep
    for (int64_t i = 2 * units; i < 3 * units; i++) {
      p[i] += input[i];
      p[units + i] += state[i];
    }
  }
}

static void NAME(gru_after_gates)(int64_t rows, int64_t units, void *parts, const void *gates,
                                  void *candidate) {
  for (int64_t r = 0; r < rows; r++) {
    REAL *restrict p = (REAL *)parts + r * 4 * units, *restrict c = (REAL *)candidate + r * units;
    const REAL *restrict gate = (const REAL *)gates + r * 2 * units;
#pragma GCC ivdep
    for (int64_t i = 0; i < 2 * units; i++)
      p[i] = gate[i];
#pragma GCC ivdep
    for (int64_t i = 0; i < units; i++)
      c[i] = p[2 * units + i] + gate[units + i] * p[3 * units + i];
  }
}

static void NAME(gru_output)(int64_t rows, int64_t units, void *parts, const void *candidate,
                             const void *h, void *h_next) {
  for (int64_t r = 0; r < rows; r++) {
    REAL *restrict p = (REAL *)parts + r * 4 * units, *restrict next = (REAL *)h_next + r * units;
    const REAL *restrict c = (const REAL *)candidate + r * units, *restrict old =
                                                                      (const REAL *)h + r * units;
#pragma GCC ivdep
    for (int64_t i = 0; i < units; i++) {
      p[2 * units + i] = c[i];
      next[i] = p[i] * old[i] + (1 - p[i]) * c[i];
    }
  }
}

static void NAME(gru_gradient)(int64_t rows, int64_t units, const void *parts, const void *h,
                               void *dh_, void *d_input, void *d_state) {
  for (int64_t r = 0; r < rows; r++) {
    const REAL *restrict update = (const REAL *)parts + r * 4 * units, *restrict reset =
                                                                           update + units;
    const REAL *restrict candidate = update + 2 * units, *restrict inner = update + 3 * units;
    const REAL *restrict old = (const REAL *)h + r * units;
    REAL *restrict dh = (REAL *)dh_ + r * units;
    REAL *restrict input = (REAL *)d_input + r * 3 * units, *restrict state =
                                                                (REAL *)d_state + r * 3 * units;
#pragma GCC ivdep
    for (int64_t i = 0; i < units; i++) {
      REAL d_candidate = dh[i] * (1 - update[i]) * (1 - candidate[i] * candidate[i]);
      REAL d_update = dh[i] * (old[i] - candidate[i]) * update[i] * (1 - update[i]);
      REAL d_reset = d_candidate * inner[i] * reset[i] * (1 - reset[i]);
      input[i] = state[i] = d_update;
      input[units + i] = state[units + i] = d_reset;
      input[2 * units + i] = d_candidate;
      state[2 * units + i] = d_candidate * reset[i];
      dh[i] *= update[i];
    }
  }
}

const cusp_gru_loops CUSP_ISA(NAME(cusp_gru_loops)) = {
    NAME(gru_before_gates), NAME(gru_after_gates), NAME(gru_output), NAME(gru_gradient)};
