-- Rows that are only parts of other rows → the operations whose cases cover them.
local parts = {
  argsort = "argsort_rows", cholesky = "cholesky_lower", cond = "choose",
  custom_gradient = "given_gradient", scan = "scan_graph", while_loop = "loop",
  conv = "conv_forward conv_ended conv_input_gradient conv_kernel_gradient "
    .. "conv_kernel_gradient_float32",
  cumprod = "cumprod_axis", matmul = "matmul_float32",
  cumsum = "cumsum_axis", dropout = "dropout_elements bernoulli_draw", eigh = "eigh_parts",
  eig = "eig_pairs eig_parts",
  dot_product_attention = "attention_tiles attention_tiles_gradient",
  gelu = "gelu_exact gelu_slope",
  fft = "fourier", irfft = "fourier_from_half", rfft = "fourier_real",
  take_along_axis = "gather_along scatter_along", take = "gather_axis scatter_axis",
  gru = "gru_sequence gru_gradient", lstm = "lstm_sequence lstm_gradient",
  log_softmax = "log_softmax_rows log_softmax_gradient", lu_factor = "lu_pivots",
  diag = "embed", max_pool = "pool_max pool_max_gradient", scatter = "scatter_nd",
  segment_sum = "gather_nd", slice_update = "dynamic_slice dynamic_update",
  average_pool = "pool_average pool_average_gradient", qr = "qr_parts",
  searchsorted = "search_sorted", slogdet = "sign_and_log_det", slice = "strided_slice",
  categorical_crossentropy = "softmax_crossentropy softmax_crossentropy_gradient",
  softmax = "softmax_rows softmax_gradient", solve = "solve_matrices",
  solve_triangular = "triangular_solve", svd = "svd_parts svd_values",
  sparse_categorical_crossentropy = "pick_label place_label sparse_softmax_crossentropy "
    .. "sparse_softmax_crossentropy_gradient",
  top_k = "top_k_rows", random_beta = "beta_draw", random_binomial = "binomial_draw",
  random_gamma = "gamma_draw", random_randint = "integer_draw", random_normal = "normal_draw",
  random_uniform = "uniform_draw",
}

local whole = {}
for name, rows in pairs(parts) do
  for row in rows:gmatch "%S+" do whole[row] = name end
end
return whole
