local cusp = require "cusp"
local utils = cusp.utils

describe("utils", function()
  it("makes vectors of class ids", function()
    assert.same({{1, 0, 0}, {0, 0, 1}}, utils.to_categorical({0, 2}, 3):tolist())
    assert.same({{1, 0}, {0, 1}}, utils.to_categorical{{0}, {1}}:tolist())
    assert.has_error(function() utils.to_categorical({0, 3}, 3) end)
  end)

  it("fills up sequences", function()
    assert.same({{1, 2, 3}, {0, 0, 4}, {6, 7, 8}},
      utils.pad_sequences({{1, 2, 3}, {4}, {5, 6, 7, 8}}, {maxlen = 3}):tolist())
    assert.same({{1, 2}, {3, 9}},
      utils.pad_sequences{{1, 2}, {3}, padding = "post", value = 9}:tolist())
  end)

  it("splits data sets", function()
    local left, right = utils.split_dataset(cusp.arange(10), 0.3)
    assert.same({3, 7}, {#left, #right})
    local both = utils.split_dataset({cusp.arange(10), cusp.arange(10)},
      {left_size = 4, shuffle = true, seed = 1})
    assert.same(both[1]:flat(), both[2]:flat())
  end)

  it("normalises and leaves zeros", function()
    local rows = utils.normalize(cusp.tensor{{3.0, 4.0}, {0.0, 0.0}}):tolist()
    assert.is_true(math.abs(rows[1][1] - 0.6) < 1e-6)
    assert.same({0, 0}, rows[2])
  end)
end)

describe("config", function()
  it("sets the default float dtype and epsilon", function()
    cusp.config.set_floatx "float64"
    assert.equal("float64", cusp.tensor(1.5).dtype)
    cusp.config.set_floatx "float32"
    assert.has_error(function() cusp.config.set_floatx "int32" end)
    assert.equal(1e-7, cusp.config.epsilon())
  end)
end)
