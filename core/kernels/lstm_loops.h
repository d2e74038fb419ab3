/*
 * The loops of cusp_lstm_loops for one float type. A template, no include guard: included with REAL
 * (the type) and NAME(x) (x made unique) defined. The parts of a row do not overlap, which the
 * compiler has to be told (ivdep).
 */

static void NAME(lstm_before_tanh)(int64_t rows, int64_t units, void *z_, const void *bias_) {
  const REAL *bias = bias_;
  for (int64_t r = 0; r < rows; r++) {
    REAL *z = (REAL *)z_ + r * 4 * units;
    if (bias)
#pragma GCC ivdep
      for (int64_t i = 0; i < 4 * units; i++)
        z[i] += bias[i];
#pragma GCC ivdep
    for (int64_t i = 0; i < 2 * units; i++)
      z[i] *= (REAL)0.5;
#pragma GCC ivdep
    for (int64_t i = 3 * units; i < 4 * units; i++)
      z[i] *= (REAL)0.5;
  }
}

static void NAME(lstm_after_tanh)(int64_t rows, int64_t units, void *z, const void *c,
                                  void *c_next) {
  const REAL half = (REAL)0.5;
  for (int64_t r = 0; r < rows; r++) {
    REAL *restrict in = (REAL *)z + r * 4 * units, *restrict forget = in + units,
                   *restrict out = in + 3 * units;
    const REAL *restrict candidate = in + 2 * units, *restrict old = (const REAL *)c + r * units;
    REAL *restrict next = (REAL *)c_next + r * units;
#pragma GCC ivdep
    for (int64_t i = 0; i < units; i++) {
      REAL enter = half * in[i] + half, keep = half * forget[i] + half;
      in[i] = enter;
      forget[i] = keep;
      out[i] = half * out[i] + half;
      next[i] = keep * old[i] + enter * candidate[i];
    }
  }
}

static void NAME(lstm_output)(int64_t rows, int64_t units, const void *gates, const void *tanh_c,
                              void *h_next) {
  for (int64_t r = 0; r < rows; r++) {
    const REAL *restrict out = (const REAL *)gates + (r * 4 + 3) * units, *restrict t =
                                                                              (const REAL *)tanh_c +
                                                                              r * units;
    REAL *restrict h = (REAL *)h_next + r * units;
#pragma GCC ivdep
    for (int64_t i = 0; i < units; i++)
      h[i] = out[i] * t[i];
  }
}

static void NAME(lstm_gradient)(int64_t rows, int64_t units, const void *gates, const void *c,
                                const void *tanh_c, void *dh_, void *dc_, void *dz) {
  for (int64_t r = 0; r < rows; r++) {
    const REAL *restrict in = (const REAL *)gates + r * 4 * units, *restrict forget = in + units;
    const REAL *restrict candidate = in + 2 * units, *restrict out = in + 3 * units;
    const REAL *restrict old = (const REAL *)c + r * units, *restrict t =
                                                                (const REAL *)tanh_c + r * units;
    REAL *restrict dh = (REAL *)dh_ + r * units, *restrict dc = (REAL *)dc_ + r * units;
    REAL *restrict d_in = (REAL *)dz + r * 4 * units, *restrict d_forget = d_in + units;
    REAL *restrict d_candidate = d_in + 2 * units, *restrict d_out = d_in + 3 * units;
#pragma GCC ivdep
    for (int64_t i = 0; i < units; i++) {
      REAL cell = dc[i] + dh[i] * out[i] * (1 - t[i] * t[i]);
      d_in[i] = cell * candidate[i] * in[i] * (1 - in[i]);
      d_forget[i] = cell * old[i] * forget[i] * (1 - forget[i]);
      d_candidate[i] = cell * in[i] * (1 - candidate[i] * candidate[i]);
      d_out[i] = dh[i] * t[i] * out[i] * (1 - out[i]);
      dc[i] = cell * forget[i];
      dh[i] = 0;
    }
  }
}

const cusp_lstm_loops CUSP_ISA(NAME(cusp_lstm_loops)) = {
    NAME(lstm_before_tanh), NAME(lstm_after_tanh), NAME(lstm_output), NAME(lstm_gradient)};
