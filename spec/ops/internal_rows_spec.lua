--- Rows that are parts of other rows check their arguments like public ones: calling them by hand
-- gives an error.
local cusp = require "cusp"
local ops = cusp.ops

local function ones(...) return cusp.ones{...} end
local function typed(dtype, ...) return cusp.ones({...}, {dtype = dtype}) end
local labels = typed("int32", 2)
local key = typed("uint64", 2)
local tall = 2 ^ 62 | 0

-- Of an LSTM of 2 units on [1, 3, 4], in the order of lstm_gradient.
local function lstm(changes)
  local given = {ones(1, 3, 4), ones(4, 8), ones(2, 8), ones(3 * 8 + 2 * 4 * 2), ones(1, 2),
    ones(1, 2), ones(8), ones(1, 3, 2)}
  for at, value in pairs(changes) do given[at] = value end
  return ops.lstm_gradient(given, false, true, false, false, true, true, false)
end

local function gru(changes)
  local given = {ones(1, 3, 4), ones(4, 6), ones(2, 6), ones(3 * 8 + 4 * 2), ones(1, 2),
    ones(2, 6), ones(1, 3, 2)}
  for at, value in pairs(changes) do given[at] = value end
  return ops.gru_gradient(given, false, true, false, true, true, false)
end

local cases = {
  {"lu_places", "int32 pivots", function() return ops.lu_places(ones(2, 3), 3) end},
  {"lu_places", "int32 pivots", function() return ops.lu_places(typed "int32", 3) end},
  {"lu_places", "rows must be", function() return ops.lu_places(typed("int32", 3), 2) end},
  {"lu_places", "rows must be", function() return ops.lu_places(typed("int32", 3), 2 ^ 53 | 0) end},
  {"lu_places", "pivots should be 0 to 2", function()
    return ops.lu_places(ops.full({2}, 7, {dtype = "int32"}), 3)
  end},
  {"solve_matrices", "shape", function()
    return ops.solve_matrices(ones(3, 2, 2), ones(1, 2, 2))
  end},
  {"softmax_gradient", "shape", function() return ops.softmax_gradient(ones(2, 3), ones(2, 2)) end},
  {"log_softmax_gradient", "shape", function()
    return ops.log_softmax_gradient(ones(2), ones(3))
  end},
  {"softmax_crossentropy", "shape", function()
    return ops.softmax_crossentropy(ones(2, 3), ones(3))
  end},
  {"softmax_crossentropy_gradient", "dloss", function()
    return ops.softmax_crossentropy_gradient(ones(2, 3), ones(2, 3), ones(3))
  end},
  {"sparse_softmax_crossentropy", "labels", function()
    return ops.sparse_softmax_crossentropy(ones(3, 2), labels)
  end},
  {"sparse_softmax_crossentropy", "int32", function()
    return ops.sparse_softmax_crossentropy(ones(2, 3), ones(2))
  end},
  {"sparse_softmax_crossentropy_gradient", "dloss", function()
    return ops.sparse_softmax_crossentropy_gradient(ones(2, 3), labels, ones(1))
  end},
  {"pick_label", "axis", function() return ops.pick_label(cusp.tensor(1.0), labels) end},
  {"pick_label", "labels", function() return ops.pick_label(ones(4, 3), labels) end},
  {"place_label", "labels", function() return ops.place_label(ones(4), labels, 3) end},
  {"place_label", "negative", function() return ops.place_label(ones(2), labels, -3) end},
  {"place_label", "at most 7 axes", function()
    return ops.place_label(ones(1, 1, 1, 1, 1, 1, 1, 2), typed("int32", 1, 1, 1, 1, 1, 1, 1, 2), 3)
  end},
  {"cumsum_axis", "axis 4", function() return ops.cumsum_axis(ones(2), 4, false, false) end},
  {"cumprod_axis", "scalar", function() return ops.cumprod_axis(1.0, 1, false, false) end},
  {"linear_recurrence", "axis 2", function()
    return ops.linear_recurrence(ones(2), ones(2), 2, false)
  end},
  {"channel_moments", "at least one axis", function()
    return ops.channel_moments(cusp.tensor(1.0))
  end},
  {"channel_moments", "expected floats, got int32", function()
    return ops.channel_moments(typed("int32", 2, 3))
  end},
  {"shift_axis", "axis 3", function() return ops.shift_axis(ones(2), 3, 1) end},
  {"scatter_nd", "mode", function()
    return ops.scatter_nd(ones(3), typed("int32", 2, 1), ones(2), 99, false)
  end},
  {"normal_draw", "float32 or float64", function()
    return ops.normal_draw(key, {2}, 0, 1, "int32")
  end},
  {"all_reduce", "got bool", function() return ops.all_reduce(typed("bool", 2), 1.0) end},
  {"all_reduce", "should be a scalar", function() return ops.all_reduce(ones(2), ones(2)) end},
  {"all_reduce_list", "at least one tensor", function() return ops.all_reduce_list{ones()} end},
  {"all_reduce_list", "tensors of one dtype", function()
    return ops.all_reduce_list{ones(), ones(2), typed("int32", 2)}
  end},
  {"group_sum", "got bool", function() return ops.group_sum(typed("bool", 2), 0) end},
  {"group_sum", "no group %-1", function() return ops.group_sum(ones(2), -1) end},
  {"group_copy", "no group", function() return ops.group_copy(ones(2), 2 ^ 40 | 0) end},
  {"group_part", "axis 3", function() return ops.group_part(ones(2), 0, 1, 0, 3) end},
  {"group_part", "3 has no 2 equal", function() return ops.group_part(ones(3), 0, 2, 0, 1) end},
  {"group_part", "no process 2 of 2", function() return ops.group_part(ones(4), 0, 2, 2, 1) end},
  {"group_gather", "no process 0 of 0", function()
    return ops.group_gather(ones(4), 0, 0, 0, 1)
  end},
  {"group_gather", "has 1 process, not 2", function()
    return ops.group_gather(ones(4), 0, 2, 0, 1)
  end},
  {"group_gather", "too large", function()
    return ops.group_gather(cusp.zeros{tall, 0}, 0, 2 ^ 31 - 1 | 0, 0, 1)
  end},
  {"dropout_elements", "float32 or float64", function()
    return ops.dropout_elements(key, labels, 0.5)
  end},
  {"beta_draw", "shape", function() return ops.beta_draw(key, ones(3), ones(2), "float32") end},
  {"gamma_draw", "a float dtype", function() return ops.gamma_draw(key, ones(3), "int32") end},
  {"embed", "do not fit", function() return ops.embed(ones(5), nil, {4}, {0}, {tall}) end},
  {"embed", "do not fit", function() return ops.embed(ones(2), nil, {4}, {0}, {0}) end},
  {"strided_slice", "lie outside", function()
    return ops.strided_slice(ones(2), {1}, {math.mininteger}, {1})
  end},
  {"pool_max", "1 to", function() return ops.pool_max(ones(1, 4, 1), {2}, {0}, {0}, {2}) end},
  {"pool_max_gradient", "dy", function()
    return ops.pool_max_gradient(ones(1, 4, 1), ones(1, 9, 1), {2}, {2}, {0}, {2})
  end},
  {"pool_max_pick", "g must", function()
    return ops.pool_max_pick(ones(1, 4, 1), ones(1, 1, 1), {2}, {2}, {0}, {2})
  end},
  {"matmul_float32", "16 bits", function() return ops.matmul_float32(ones(2, 2), ones(2, 2)) end},
  {"matmul_float32", "16 bits", function()
    return ops.matmul_float32(typed("bfloat16", 2, 2), typed("float16", 2, 2))
  end},
  {"quantized_matmul", "expected float32, int8 and float32", function()
    return ops.quantized_matmul(ones(2, 2), ones(2, 2), ones(2))
  end},
  {"quantized_matmul", "features, units", function()
    return ops.quantized_matmul(ones(2, 3), typed("int8", 2, 2), ones(2))
  end},
  {"quantized_matmul", "scale", function()
    return ops.quantized_matmul(ones(2, 2), typed("int8", 2, 2), ones(3))
  end},
  {"conv_kernel_gradient_float32", "expected bfloat16", function()
    return ops.conv_kernel_gradient_float32(ones(1, 4, 1), ones(1, 3, 1), {1}, {0}, {1}, {2, 1, 1})
  end},
  {"conv_forward", "one dtype", function()
    return ops.conv_forward(ones(1, 4, 1), typed("float64", 2, 1, 1), {1}, {0}, {1}, {3})
  end},
  {"conv_forward", "belong together", function()
    return ops.conv_forward(ones(1, 4, 3), ones(2, 2, 4), {1}, {0}, {1}, {3})
  end},
  {"conv_input_gradient", "numbers", function()
    return ops.conv_input_gradient(ones(1, 4, 3), ones(2, 1, 3), {1}, {0}, {1}, {})
  end},
  {"conv_kernel_gradient", "belong together", function()
    return ops.conv_kernel_gradient(ones(2, 4, 1), ones(1, 3, 1), {1}, {0}, {1}, {2, 1, 1})
  end},
  {"lstm_sequence", "expected 5 tensors", function()
    return ops.lstm_sequence({ones(1, 3, 4)}, false, false, false)
  end},
  {"gru_sequence", "expected 4 tensors", function()
    return ops.gru_sequence({ones(1, 3, 4)}, false, false, false)
  end},
  {"lstm_gradient", "expected 8 tensors", function() return lstm{[9] = ones(1)} end},
  {"lstm_gradient", "kernel must have shape", function() return lstm{[2] = ones(4, 4)} end},
  {"lstm_gradient", "recurrent_kernel must have shape", function()
    return lstm{[3] = cusp.zeros{tall, 0}}
  end},
  {"lstm_gradient", "reserve must have shape", function() return lstm{[4] = ones(3)} end},
  {"lstm_gradient", "dsequence must be float32", function()
    return lstm{[8] = typed("float64", 1, 3, 2)}
  end},
  {"lstm_gradient", "c0 must have shape", function() return lstm{[6] = ones(2, 2)} end},
  {"gru_gradient", "bias must have shape", function() return gru{[6] = ones(6)} end},
  {"gru_gradient", "kernel must have shape", function() return gru{[2] = ones(4, 4)} end},
  {"gru_gradient", "reserve must have shape", function() return gru{[4] = ones(3)} end},
  {"gru_gradient", "dsequence must have shape", function() return gru{[7] = ones(1, 2, 2)} end},
}

describe("a row for other rows names a wrong argument:", function()
  for i, case in ipairs(cases) do
    it(("%s, %d"):format(case[1], i), function()
      local ok, message = pcall(function() return tostring(case[3]()) end)
      assert.is_false(ok)
      assert.matches(case[1], message, 1, true)
      assert.matches(case[2], message)
    end)
  end
end)

describe("a row for other rows takes right arguments:", function()
  it("gradients of recurrent layers", function()
    assert.same({1, 3, 4}, lstm({}).shape)
    assert.same({1, 3, 4}, gru({}).shape)
  end)

  it("a shift by more than the axis leaves zeros", function()
    for _, by in ipairs{3, math.maxinteger, math.mininteger} do
      assert.same({0, 0}, ops.shift_axis(ones(2), 1, by):tolist())
    end
    assert.same({1, 0}, ops.shift_axis(ones(2), 1, -1):tolist())
  end)
end)
