local cusp = require "cusp"
local initializers = cusp.initializers

describe("initializers", function()
  it("make the same values under the same seed, fresh ones without", function()
    local seeded = initializers.GlorotUniform{seed = 1}
    assert.same(seeded({2, 3}):flat(), seeded({2, 3}):flat())
    local free = initializers.GlorotUniform()
    assert.not_same(free({2, 3}):flat(), free({2, 3}):flat())
    cusp.random.set_seed(7)
    local first = free({2, 3}):flat()
    cusp.random.set_seed(7)
    assert.same(first, free({2, 3}):flat())
  end)

  it("take shape and dtype as any function does", function()
    assert.equal("float64", initializers.Zeros()({2}, {dtype = "float64"}).dtype)
    assert.equal("int32", initializers.Ones()({2}, "int32").dtype)
    assert.same({2, 3}, initializers.Ones(){2, 3}.shape)
    assert.same({}, initializers.Constant(3)({}).shape)
  end)

  it("draw what their names say", function()
    local he = initializers.HeNormal{seed = 1}({400, 300})
    assert.is_true(math.abs(he:std():item() - math.sqrt(2 / 400)) < 1e-3)
    local limit = math.sqrt(6 / 700)
    local glorot = initializers.GlorotUniform{seed = 1}({400, 300})
    assert.is_true(glorot:max():item() <= limit and glorot:min():item() >= -limit)
  end)

  it("make orthogonal matrices, wide, tall and square", function()
    for _, shape in ipairs{{4, 4}, {3, 7}, {7, 3}, {2, 3, 4}, {64, 64}} do
      local values = initializers.Orthogonal{seed = 2}(shape):reshape{-1, shape[#shape]}
      local rows, columns = values.shape[1], values.shape[2]
      local gram = rows <= columns and values:matmul(values:transpose())
        or values:transpose():matmul(values)
      assert.is_true((gram - cusp.eye(math.min(rows, columns))):abs():max():item() < 1e-5)
    end
  end)

  it("are found by names in every spelling of Keras's", function()
    for _, name in ipairs{"zeros", "Ones", "uniform", "normal", "he_normal", "HeNormal",
      "glorot_uniform", "orthogonal", "identity"} do
      assert.is_not_nil(initializers.get(name))
    end
  end)

  it("say what is wrong with a shape", function()
    assert.has_error(function() initializers.Identity()({2, 3, 4}) end)
    assert.has_error(function() initializers.Orthogonal()({3}) end)
    assert.has_error(function() initializers.HeNormal{seed = "x"} end)
  end)
end)
