--- Eigenvalues and eigenvectors of general matrices.
local cusp = require "cusp"
local ops = cusp.ops

local function close(expected, value, tolerance)
  local difference = ops.max(ops.abs(value - cusp.tensor(expected, {dtype = value.dtype}))):item()
  assert.is_true(difference < (tolerance or 1e-7))
end

local a = cusp.tensor({{1, 2, 0}, {-3, 1, 1}, {0.5, 0, 2}}, {dtype = "float64"})

describe("eig", function()
  it("gives what Keras gives", function()
    local values, vectors = ops.eig(a)
    close({0.93144144, 0.93144144, 2.13711712}, values[1])
    close({2.4801649, -2.4801649, 0}, values[2])
    close({{0.01722557, 0.01722557, 0.26152976}, {-0.77334751, -0.77334751, 0.14869498},
      {0.10469629, 0.10469629, 0.95367289}}, vectors[1])
    close({{0.62314971, -0.62314971, 0}, {0, 0, 0}, {-0.0485802, 0.0485802, 0}}, vectors[2])
  end)

  it("takes batches, other dtypes and what is empty", function()
    local values, vectors = ops.eig(ops.stack{a, a * 2})
    assert.same({2, 3}, {table.unpack(values[1].shape)})
    close({1.86288288, 1.86288288, 4.27423424}, values[1][2])
    close({{0.01722557, 0.01722557, 0.26152976}, {-0.77334751, -0.77334751, 0.14869498},
      {0.10469629, 0.10469629, 0.95367289}}, vectors[1][2])
    values = ops.eig(ops.cast(a, "float16"))
    assert.equal("float16", values[1].dtype)
    values = ops.eig(cusp.tensor{{0, 1}, {-1, 0}})
    assert.equal("float32", values[1].dtype)
    close({1, -1}, values[2], 1e-6)
    values, vectors = ops.eig(cusp.zeros{0, 4, 4})
    assert.same({0, 4}, {table.unpack(values[1].shape)})
    assert.same({0, 4, 4}, {table.unpack(vectors[2].shape)})
    assert.same({2, 3, 2}, {table.unpack(ops.view_as_real((ops.eig(cusp.ones{2, 3, 3}))).shape)})
  end)

  it("is a step of a model", function()
    local input = cusp.Input{3, 3}
    local values = ops.eig(input)
    local model = cusp.Model{inputs = input, outputs = values[1]}
    close({{0.93144144, 0.93144144, 2.13711712}}, model(a:expand_dims(1)), 1e-5)
  end)

  it("has the gradient of its values, and none of its vectors", function()
    local weights = cusp.tensor({1, -2, 3}, {dtype = "float64"})
    local function f(x)
      local values = ops.eig(x)
      return ops.sum(ops.sin(values[1]) * weights + values[2] ^ 3 * weights)
    end
    local tape <close> = cusp.GradientTape{persistent = true}
    tape:watch(a)
    local y, _, vectors = f(a), ops.eig(a)
    local direction = cusp.tensor({{1, 2, 3}, {-1, 0.5, 2}, {3, 1, -2}}, {dtype = "float64"})
    local slope = ops.sum(tape:gradient(y, a) * direction):item()
    local quotient = (f(a + direction * 1e-6) - f(a - direction * 1e-6)):item() / 2e-6
    assert.is_true(math.abs(slope - quotient) < 1e-6 * math.abs(slope))
    assert.error_matches(function() tape:gradient(ops.sum(vectors[1]), a) end,
      "eigenvectors of general matrices have no gradient")
  end)

  it("refuses what has no eigenvalues", function()
    assert.error_matches(function() ops.eig(cusp.ones{2, 3}) end, "eig: expected square matrices")
    for _, number in ipairs{0 / 0, 1 / 0} do
      assert.error_matches(function() ops.eig(cusp.full({2, 2}, number))[1]:tolist() end,
        "eig %(made at .*did not converge")
    end
  end)
end)
