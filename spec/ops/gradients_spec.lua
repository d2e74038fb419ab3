--- First and second finite differences in float64 for every row of the operation table that has a
-- gradient. Every such row needs an example here, or the spec fails.
local engine = require "cusp.engine"

---------------------------------------------------------------- values

--- Distinct values spread over low..high, the same in every run; `seed` changes them.
local function values(shape, low, high, seed)
  local count, data = 1, {}
  for _, size in ipairs(shape) do count = count * size end
  for i = 1, count do
    data[i] = low + (high - low) * ((i * 0.6180339887498949 + (seed or 0) * 0.37 + 0.137) % 1)
  end
  return engine.tensor(data, {shape = shape, dtype = "float64"})
end

local function x(...) return values({...}, -1.3, 1.4) end -- anything
local function y(...) return values({...}, -1.1, 1.2, 1) end -- anything else
local function z(...) return values({...}, -0.9, 1.5, 2) end
local function positive(...) return values({...}, 0.3, 2.1) end
local function share(...) return values({...}, 0.05, 0.95) end -- within (0, 1)
local function ints(data, shape) return engine.tensor(data, {shape = shape, dtype = "int32"}) end
local function longs(data) return engine.tensor(data, {dtype = "int64"}) end
local function bools(data) return engine.tensor(data, {dtype = "bool"}) end
local function with_nan(shape, position)
  local data = values(shape, -1.3, 1.4):flat()
  data[position] = 0 / 0
  return engine.tensor(data, {shape = shape, dtype = "float64"})
end
local key = engine.tensor({3, 5}, {dtype = "uint64"})

---------------------------------------------------------------- examples

--- name → a function that returns the arguments of an example, or of several (a list of such
-- functions). `once` in the result: skip the second derivative (it does not exist, or has jumps). A
-- name: checked through that row.
local examples = {}

local function one(domain, names)
  for name in names:gmatch "%S+" do
    examples[name] = function() return {domain(2, 3)} end
  end
end
local function two(first, second, names)
  for name in names:gmatch "%S+" do
    examples[name] = {
      function() return {first(2, 3), second(2, 3)} end,
      function() return {first(2, 1, 3), second(4, 1)} end,
      function() return {first(3), second()} end,
    }
  end
end

one(x, [[negative absolute abs fabs square exp exp2 expm1 sin cos tan sinh cosh tanh arcsinh arctan
  erf erfc i0 i1 deg2rad rad2deg sinc nan_to_num real imag conj conjugate angle sigmoid softplus
  relu silu swish gelu elu selu celu leaky_relu relu6 hard_sigmoid hard_silu hard_swish hard_tanh
  hard_shrink soft_shrink tanh_shrink mish log_sigmoid softsign squareplus sparse_plus
  sparse_sigmoid gelu_exact gelu_slope copy array convert_to_tensor ravel flipud fliplr
  at_least_2d at_least_3d round
  trunc]])
one(positive, "sqrt rsqrt reciprocal log log2 log10 log1p cbrt lgamma digamma")
one(share, "arcsin arccos arctanh erfinv")
examples.arccosh = function() return {values({2, 3}, 1.2, 3)} end
examples.lgamma = {examples.lgamma, function() return {values({5}, -2.9, -2.1)} end}
examples.digamma = {examples.digamma, function() return {values({5}, -2.9, -2.1)} end}
examples.cast = function() return {x(2, 3), "float64"} end
examples.saturate_cast = examples.cast
examples.gelu = {function() return {x(2, 3)} end, function() return {x(2, 3), false} end}
examples.threshold = function() return {x(2, 3), 0.2, -3.0} end
examples.glu = function() return {x(2, 4)} end

two(x, y, [[add subtract multiply maximum minimum fmax fmin logaddexp logaddexp2 relu_gradient
  sigmoid_gradient tanh_gradient heaviside copysign]])
two(x, positive, "divide true_divide divide_no_nan mod fmod arctan2 hypot")
two(positive, y, "power")
examples.ldexp = function() return {x(3), ints{1, -2, 3}} end
table.insert(examples.power, function() return {x(2, 3), 2} end)
table.insert(examples.power, function() return {x(2, 3), 3} end)
examples.where = function() return {bools{true, false, true}, x(2, 3), y(1, 3)} end
examples.select_where = examples.where
examples.clip = {
  function() return {x(2, 4), -0.5, 0.5} end,
  function() return {x(2, 3), values({3}, -0.6, -0.3), values({2, 1}, 0.3, 0.7)} end,
}
examples.multiply_add = function() return {x(2, 3), y(3), z(2, 1)} end

local reductions = [[sum mean var std prod reduce_prod amax amin max min logsumexp ptp median
  nansum nanmean nanvar nanstd nanprod nanmax nanmin nanmedian]]
for name in reductions:gmatch "%S+" do
  examples[name] = {
    function() return {x(2, 3)} end,
    function() return {x(2, 3, 2), 2, true} end,
    function() return {x(2, 3, 2), {1, -1}} end,
  }
  if name:find "^nan" then
    table.insert(examples[name], function() return {with_nan({2, 3}, 2), 2} end)
  end
end
examples.prod[4] = function()
  return {engine.tensor({{1.5, 0, 2}, {0.5, -1, 3}}, {dtype = "float64"}), 2, once = true}
end
examples.moments = function() return {x(2, 3, 2), {1, 3}} end
examples.average = {function() return {x(2, 3), 2, positive(3)} end, function()
  return {x(2, 3), {weights = positive(2, 3)}}
end}
for name in ("quantile nanquantile"):gmatch "%S+" do
  examples[name] = {
    function() return {x(2, 5), 0.3} end,
    function() return {x(2, 5), share(3), 2} end,
    function() return {x(2, 3, 2), 0.5, {1, 3}, {method = "higher"}} end,
  }
end
for name in ("percentile nanpercentile"):gmatch "%S+" do
  examples[name] = function() return {x(2, 5), 30.0, 2, "midpoint", true} end
end
examples.corrcoef = function() return {x(2, 4)} end

examples.full = function() return {{2, 3}, x(3)} end
examples.full_like = function() return {x(2, 3), y(3)} end
examples.linspace = {function() return {x(2), y(2), 4} end, function()
  return {x(2), y(2), 4, false, true, {axis = 2}}
end}
examples.logspace = function() return {share(2), positive(2), 3} end
examples.geomspace = function() return {share(2), positive(2), 3} end
examples.tril = function() return {x(2, 3, 3), 1} end
examples.triu = function() return {x(3, 4), -1} end
examples.diag = {function() return {x(3), -1} end, function() return {x(3, 4), 1} end}
examples.diagflat = function() return {x(2, 2)} end
examples.on_diagonal = function() return {x(2, 3), 4, 5, -1} end
examples.vander = function() return {positive(3)} end

examples.reshape = function() return {x(2, 6), {-1, 3}} end
examples.transpose = function() return {x(2, 3, 4), {-1, 1, 2}} end
examples.broadcast_to = function() return {x(2, 1, 2), {3, 2, 4, 2}} end
examples.strided_slice = {
  function() return {x(4, 5), {1, 0}, {4, 5}, {2, 1}} end,
  function() return {x(4, 5), {3, 4}, {-1, 0}, {-1, -2}} end,
}
examples.embed = {
  function() return {x(2, 3), nil, {5, 4}, {1, 1}, {2, 1}} end,
  function() return {x(3), y(), {6}, {5}, {-2}} end,
}
examples.diagonal = function() return {x(2, 3, 4), 1, 1, 3} end
examples.trace = function() return {x(2, 3, 4), -1, 2, 3} end
examples.dynamic_slice = function() return {x(4, 5), longs{1, 3}, {2, 2}} end
examples.dynamic_update = function() return {x(4, 5), longs{1, 4}, y(2, 2)} end
examples.slice = function() return {x(4, 5), {1, 2}, {2, 3}} end
examples.slice_update = function() return {x(4, 5), {1, 2}, y(2, 3)} end
examples.expand_dims = function() return {x(2, 3), {1, -1}} end
examples.squeeze = function() return {x(1, 3, 1), 3} end
examples.swapaxes = function() return {x(2, 3, 4), 1, -1} end
examples.moveaxis = function() return {x(2, 3, 4), {1, 2}, {-1, 1}} end
examples.flip = function() return {x(2, 3), 2} end
examples.rot90 = function() return {x(2, 3, 2), 1, {2, 3}} end
examples["repeat"] = {function() return {x(2, 3), 2} end, function()
  return {x(2, 2), ints{2, 1}, 2}
end}
examples.tile = function() return {x(2, 3), {2, 1, 2}} end
examples.roll = {function() return {x(2, 3), 4} end, function()
  return {x(2, 3), {1, -1}, {1, 2}}
end}
examples.pad = {}
for _, mode in ipairs{"constant", "edge", "reflect", "symmetric", "wrap", "linear_ramp", "maximum",
  "mean", "median", "minimum"} do
  table.insert(examples.pad, function() return {x(3, 4), {1, 2, 2, 0}, mode} end)
end
table.insert(examples.pad, function() return {x(3), {1, 2}, "constant", y()} end)

examples.concatenate = function() return {{x(2, 1), y(2, 3), z(2, 2)}, 2} end
examples.stack = function() return {{x(2, 3), y(2, 3)}, -1} end
examples.append = function() return {x(2, 3), y(2)} end
for name in ("hstack vstack dstack"):gmatch "%S+" do
  examples[name] = function() return {{x(3), y(3)}} end
end
examples.split = function() return {x(2, 6), {1, 4}, 2} end
examples.array_split = function() return {x(7), 3} end
examples.vsplit = function() return {x(4, 2), 2} end
examples.hsplit = function() return {x(2, 4), 2} end
examples.dsplit = function() return {x(1, 2, 4), 2} end
examples.unstack = function() return {x(2, 3), nil, 2} end
examples.meshgrid = function() return {{x(2), y(3)}} end

examples.take = {
  function() return {x(4, 3), ints{0, 2, 2, -1}, 1} end,
  function() return {x(2, 40), ints({1, 0}, {1, 2}), 1} end,
  function() return {x(2, 3), ints{5, 0}} end,
}
examples.take_along_axis = {
  function() return {x(3, 4), ints({0, 3, 1, 1, 2, 0}, {3, 2}), 2} end,
  function() return {x(2, 3), ints{5, 0, 5}} end,
}
examples.get_item = function() return {x(3, 4), {-1, 2}} end
examples.gather_axis = function() return {x(2, 4, 3), ints{3, 0, 3}, 2} end
examples.scatter_axis = function() return {x(2, 3, 3), ints{3, 0, 3}, 2, 4} end
examples.gather_along = function() return {x(2, 3), ints({2, 0, 1, 1}, {2, 2}), 2} end
examples.scatter_along = function() return {x(2, 2), ints({2, 0, 1, 1}, {2, 2}), 2, 3} end
examples.gather_nd = function() return {x(3, 4), ints({0, 1, 2, 3, 0, 1}, {3, 2})} end
examples.scatter_nd = function() return {x(4, 2), ints({0, 3, 0}, {3, 1}), y(3, 2), 1} end
examples.scatter = function() return {ints({1, 0, 1}, {3, 1}), x(3, 2), {3, 2}} end
examples.scatter_update = {}
for _, reduction in ipairs{"set", "add", "max", "min", "mul"} do
  table.insert(examples.scatter_update, function()
    return {x(4), ints({1, 3}, {2, 1}), y(2), {reduction = reduction ~= "set" and reduction or nil}}
  end)
end
for name in ("sum prod max min"):gmatch "%S+" do
  examples["segment_" .. name] = function() return {x(5, 2), ints{0, 2, 0, 1, 2}, 3} end
end
examples.bincount = function() return {ints{0, 2, 2, 1}, positive(4)} end

examples.matmul = {
  function() return {x(2, 3), y(3, 4)} end,
  function() return {x(2, 1, 2, 3), y(3, 3, 2)} end,
  function() return {x(3), y(3, 2)} end,
}
examples.dot = function() return {x(2, 3), y(3, 2)} end
examples.inner = function() return {x(2, 3), y(4, 3)} end
examples.outer = function() return {x(2), y(3)} end
examples.vdot = function() return {x(2, 3), y(2, 3)} end
examples.kron = function() return {x(2, 2), y(1, 3)} end
examples.tensordot_axes = function() return {x(2, 3, 4), y(4, 3), {2, 3}, {2, 1}} end
examples.einsum_operands = function() return {{x(2, 2, 3), y(2, 3, 2)}, "bij,bjk->bik"} end

local function definite(...) -- symmetric and positive definite
  local a = x(...)
  return engine.ops.matmul(a, engine.ops.swapaxes(a, -1, -2))
    + engine.ops.eye(a.shape[#a.shape], {dtype = "float64"})
end
for name in ("cholesky cholesky_lower eigh eigh_parts"):gmatch "%S+" do
  examples[name] = {function() return {definite(3, 3)} end, function()
    return {definite(2, 2, 2)}
  end}
end
for name in ("inv det slogdet logdet sign_and_log_det qr svd_values pinv"):gmatch "%S+" do
  examples[name] = {function() return {z(3, 3)} end, function() return {z(2, 2, 2)} end}
end
examples.cholesky_inverse = function() return {definite(3, 3)} end
examples.solve = {function()
  return {z(3, 3), y(3, 2)}
end, function() return {z(2, 2, 2), y(2)} end}
examples.solve_matrices = function() return {z(2, 2, 2), y(2, 2, 3)} end
examples.solve_triangular = function() return {z(3, 3), y(3, 2), true} end
examples.triangular_solve = function() return {z(3, 3), y(3, 2), false} end
for _, shape in ipairs{{4, 2}, {2, 4}} do
  table.insert(examples.qr, function() return {z(table.unpack(shape))} end)
  table.insert(examples.svd_values, function() return {z(table.unpack(shape))} end)
  table.insert(examples.pinv, function() return {z(table.unpack(shape))} end)
end
examples.lu_factor = {function() return {z(3, 3)} end, function()
  return {z(2, 4, 2)}
end, function() return {z(2, 3)} end}
examples.lu_pivots = examples.lu_factor
examples.qr_parts = {function()
  return {z(4, 2), false}
end, function() return {z(4, 2), true} end, function() return {z(3, 3), true} end}
examples.svd = {function() return {z(4, 2), false} end, function() return {z(3, 3)} end, function()
  return {z(2, 4), true, false}
end}
examples.svd_parts = {function()
  return {z(3, 2), false}
end, function() return {z(2, 3), false} end}
examples.lstsq = {function() return {z(4, 2), y(4)} end, function() return {z(2, 4), y(2, 3)} end}

for name in ("softmax log_softmax softmax_rows log_softmax_rows"):gmatch "%S+" do
  examples[name] = function() return {x(2, 4)} end
end
local function attention(bias, mask, options)
  return function()
    return {x(1, 3, 2, 2), y(1, 4, 1, 2), z(1, 4, 1, 3), bias or nil, mask or nil,
      table.unpack(options or {}, 1, 4)}
  end
end
local some_keys = bools{{{{true, true, false, true}}}}
examples.dot_product_attention = {
  attention(), attention(nil, some_keys, {0.7, true}), attention(x(2, 1, 4), some_keys),
  attention(nil, bools{{false, false, false, false}, {true, false, true, true},
    {false, true, true, true}}, {nil, true, nil, 0.8}),
}
examples.attention_tiles = "dot_product_attention"
examples.attention_tiles_gradient = "dot_product_attention"

for name in ("softmax_gradient log_softmax_gradient"):gmatch "%S+" do
  examples[name] = function() return {x(2, 4), y(2, 4)} end
end
local function classes() return ints{3, 0} end
examples.categorical_crossentropy = {
  function() return {share(2, 4), share(2, 4)} end,
  function() return {share(2, 4), x(2, 4), true} end,
}
examples.sparse_categorical_crossentropy = {
  function() return {classes(), share(2, 4)} end,
  function() return {classes(), x(2, 4), true} end,
}
examples.binary_crossentropy = {function() return {share(2, 3), share(2, 3)} end, function()
  return {share(2, 3), x(2, 3), true}
end}
examples.softmax_crossentropy = function() return {x(2, 4), share(2, 4)} end
examples.softmax_crossentropy_gradient = function() return {x(2, 4), share(2, 4), y(2)} end
examples.sparse_softmax_crossentropy = function() return {x(2, 4), classes()} end
examples.sparse_softmax_crossentropy_gradient = function() return {x(2, 4), classes(), y(2)} end
examples.pick_label = function() return {x(2, 4), classes()} end
examples.place_label = function() return {x(2), classes(), 4} end

examples.sort = function() return {x(2, 4)} end
examples.top_k = function() return {x(2, 5), 2} end
for name in ("cumsum nancumsum cumprod nancumprod"):gmatch "%S+" do
  examples[name] = function() return {x(2, 4), 2} end
end
examples.cumsum_axis = function() return {x(2, 4), 2, true, true} end
examples.fourier = {
  function() return {x(2, 5), y(2, 5)} end, function() return {x(2, 6), y(2, 6), true} end,
}
examples.fourier_real = {function() return {x(2, 5)} end, function() return {x(2, 6), true} end}
examples.fourier_from_half = {
  function() return {x(2, 3), y(2, 3), 5} end, function() return {x(2, 4), y(2, 4), 6, false} end,
}
examples.cumprod_axis = function() return {positive(2, 4), 2, false, false} end
examples.linear_recurrence = function() return {share(2, 4), x(2, 4), 2, false} end
examples.shift_axis = function() return {x(2, 4), 2, -1} end
examples.random_shuffle = function() return {key, x(5, 2)} end
examples.all_reduce = function() return {x(3), 0.5} end
examples.all_reduce_list = function()
  return {{0.5, x(3), x(2, 2)}}
end
-- Of a group of one; spec/distribution/divided_spec.lua compares those of larger ones.
examples.group_sum = function() return {x(3), 0} end
examples.group_copy = function() return {x(3), 0} end
examples.group_gather = function() return {x(2, 3), 0, 1, 0, 2} end
examples.group_part = function() return {x(2, 3), 0, 1, 0, 2} end
examples.dropout = function() return {key, x(2, 8), 0.4} end
examples.dropout_elements = function() return {key, x(2, 8), 0.4} end

local function lstm(mask, backwards)
  return function()
    local states, kernel, recurrent = x(2, 3), z(2, 12), y(3, 12)
    return {x(2, 4, 2), states, y(2, 3), kernel, recurrent, share(12), mask,
      go_backwards = backwards, once = true}
  end
end
examples.lstm = {lstm(), lstm(nil, true),
  lstm(bools{{true, true, false, false}, {true, false, true, true}})}
local function gru(mask, backwards)
  return function()
    return {x(2, 4, 2), y(2, 3), z(2, 9), y(3, 9), share(2, 9), mask, go_backwards = backwards,
      once = true}
  end
end
examples.gru = {gru(), gru(nil, true),
  gru(bools{{true, true, false, false}, {true, false, true, true}})}
examples.gru_sequence, examples.gru_gradient = "gru", "gru"
examples.lstm_sequence, examples.lstm_gradient, examples.pick = "lstm", "lstm", "lstm"

-- strides, padding before, dilations
local function geometry(sizes) return {2, 1}, {1, 0}, {1, 2}, sizes end
examples.conv = {
  function() return {x(1, 4, 3, 2), y(2, 2, 2, 3), 1, "same"} end,
  function()
    return {x(2, 5, 4), y(3, 2, 2), {strides = 2, padding = "causal", dilation_rate = 2}}
  end,
}
examples.depthwise_conv = function() return {x(1, 3, 3, 2), y(2, 2, 2, 2)} end
examples.separable_conv = function() return {x(1, 3, 3, 2), y(2, 2, 2, 1), z(1, 1, 2, 3)} end
examples.conv_transpose = function() return {x(1, 2, 3, 2), y(2, 3, 2, 2), 2, "same"} end
examples.conv_forward = function() return {x(1, 4, 4, 2), y(2, 2, 2, 3), geometry{2, 2}} end
examples.conv_input_gradient = function()
  return {x(1, 2, 2, 3), y(2, 2, 2, 3), geometry{4, 4, 2}}
end
examples.conv_kernel_gradient = function()
  return {x(1, 4, 4, 2), y(1, 2, 2, 3), geometry{2, 2, 2, 3}}
end

-- size, strides, padding before
local function pooling(sizes) return {2, 2}, {2, 1}, {1, 0}, sizes end
examples.max_pool = function() return {x(1, 4, 3, 2), 2, 1, "same"} end
examples.average_pool = function() return {x(1, 4, 3, 2), 2, 1, "same"} end
examples.pool_max = function() return {x(1, 4, 3, 2), pooling{2, 2}} end
examples.pool_max_gradient = function() return {x(1, 4, 3, 2), y(1, 2, 2, 2), pooling{2, 2}} end
examples.pool_max_pick = function() return {x(1, 4, 3, 2), y(1, 4, 3, 2), pooling{2, 2}} end
examples.pool_average = function() return {x(1, 4, 3, 2), pooling{2, 2}} end
examples.pool_average_gradient = function() return {x(1, 2, 2, 2), pooling{4, 3}} end

examples.batch_normalization = function()
  return {x(2, 3), y(3), positive(3), 2, z(3), positive(3)}
end
examples.channel_moments = function() return {x(2, 3, 2)} end
examples.layer_normalization = {
  function() return {x(2, 4), y(4), z(4)} end,
  function() return {x(2, 3, 2), y(3), axis = 2} end,
}
examples.rms_normalization = function() return {x(2, 4), y(4)} end

---------------------------------------------------------------- checking

local function is_float(value) return engine.is_tensor(value) and value.dtype == "float64" end

--- Calls f for each float tensor in a list of arguments, including nested lists, and replaces the
-- tensor by the result.
local function replace(arguments, f)
  local result = {}
  for k, value in pairs(arguments) do
    if is_float(value) then result[k] = f(value)
    elseif type(value) == "table" then result[k] = replace(value, f)
    else result[k] = value end
  end
  return result
end

local function sources_of(arguments)
  local sources = {}
  replace(arguments, function(value) sources[#sources + 1] = value; return value end)
  return sources
end

--- A fixed weighted sum of all elements, so that symmetry cannot hide an error.
local function weighted(tensors)
  local total
  for k, value in ipairs(tensors) do
    local count = 1
    for _, size in ipairs(value.shape) do count = count * size end
    if is_float(value) and count > 0 then
      local sum = engine.ops.sum(engine.ops.multiply(value, values(value.shape, 0.5, 1.5, k)))
      total = total and engine.ops.add(total, sum) or sum
    end
  end
  return total
end

local function flatten(list, into)
  for _, value in ipairs(list) do
    if type(value) == "table" then flatten(value, into) else into[#into + 1] = value end
  end
  return into
end

local function count_of(arguments)
  local n = 0
  for k in pairs(arguments) do if type(k) == "number" and k > n then n = k end end
  return n
end

--- Calls f with positional arguments, and the named ones in a table at the end.
local function call(f, arguments)
  local n, named = count_of(arguments), {}
  for k, value in pairs(arguments) do
    if type(k) == "string" and k ~= "n" then named[k] = value end
  end
  local positional = table.move(arguments, 1, n, 1, {})
  if next(named) then
    n = n + 1
    positional[n] = named
  end
  return table.pack(f(table.unpack(positional, 1, n)))
end

--- f as a scalar function of its float tensors.
local function loss(f, arguments) return weighted(flatten(call(f, arguments), {})) end

local function gradients_of(f, arguments)
  local sources = sources_of(arguments)
  local tape <close> = engine.tape()
  for _, source in ipairs(sources) do tape:watch(source) end
  return tape:gradient({loss(f, arguments)}, sources), sources
end

--- The gradients of f as a function: their weighted sum.
local function derivative(f)
  return function(...)
    local list = gradients_of(f, table.pack(...))
    local present = {}
    for _, gradient in ipairs(list) do if gradient then present[#present + 1] = gradient end end
    return table.unpack(present)
  end
end

local function numeric(f, arguments, source, i)
  local data, step = source:flat(), 1e-5
  local function at(offset)
    local moved = data[i]
    data[i] = moved + offset
    local changed = engine.tensor(data, {shape = source.shape, dtype = "float64"})
    data[i] = moved
    local result = loss(f, replace(arguments, function(value)
      return rawequal(value, source) and changed or value
    end))
    return result and result:item() or 0
  end
  return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)
end

local function check(f, arguments, what)
  local gradients, sources = gradients_of(f, arguments)
  for s, source in ipairs(sources) do
    local got = gradients[s] and gradients[s]:flat()
    for i, value in ipairs(source:flat()) do
      if value == value then
        local wanted, have = numeric(f, arguments, source, i), got and got[i] or 0
        local off = math.abs(wanted - have)
        if off ~= off or off > 1e-7 + 1e-6 * math.abs(wanted) then
          error(("%s: tensor %d, element %d: gradient %.10g, finite difference %.10g"):format(what,
            s, i, have, wanted), 0)
        end
      end
    end
  end
end

-- Rows that exist only in traces of `cond`, `switch` or a loop: spec/graph/effects_spec.lua and
-- loops_spec.lua compare their gradients with those of the same functions run directly. Of eig some
-- results have a gradient and some have none: spec/ops/eig_spec.lua. The gradient of
-- quantized_matmul is that of what it stands for: spec/ops/int8_spec.lua.
local elsewhere = {choose = true, given_gradient = true, loop = true, scan_graph = true,
  eig_pairs = true, eig_parts = true, region_output = true, quantized_matmul = true}

describe("the gradient of", function()
  for _, row in ipairs(engine.describe()) do
    if not row.flags.no_gradient and not elsewhere[row.name] then
      it(row.name, function()
        local list = assert(examples[row.name],
          "no example for this row in spec/ops/gradients_spec.lua")
        if type(list) == "string" then return assert(examples[list]) end
        if type(list) == "function" then list = {list} end
        local f = engine.ops[row.name]
        for _, example in ipairs(list) do
          local arguments = example()
          local once = arguments.once
          arguments.once = nil
          check(f, arguments, "first")
          if not once then check(derivative(f), arguments, "second") end
        end
      end)
    end
  end
end)
