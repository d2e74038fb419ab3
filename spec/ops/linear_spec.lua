--- Products: every layout compared with explicit sums, dtypes, batches, errors.
local engine = require "cusp.engine"
local message = require "spec.support.message"
local ops = engine.ops

local function values(shape, dtype, seed)
  local count, data = 1, {}
  for _, size in ipairs(shape) do count = count * size end
  for i = 1, count do data[i] = (i * 7 + (seed or 0) * 3) % 11 - 5 end
  return engine.tensor(data, {shape = shape, dtype = dtype or "float32"})
end

--- The product of two matrices given as nested tables.
local function product(a, b)
  local result = {}
  for i = 1, #a do
    result[i] = {}
    for j = 1, #b[1] do
      local sum = 0
      for k = 1, #b do sum = sum + a[i][k] * b[k][j] end
      result[i][j] = sum
    end
  end
  return result
end

describe("matmul", function()
  it("multiplies matrices of every numeric dtype", function()
    for _, dtype in ipairs{"float16", "bfloat16", "float32", "float64", "int16", "int32", "int64",
      "uint8", "uint32"} do
      local a, b = ops.cast(engine.tensor{{1, 2, 3}, {4, 5, 6}}, dtype),
        ops.cast(engine.tensor{{1, 0}, {2, 1}, {0, 3}}, dtype)
      local c = ops.matmul(a, b)
      assert.equal(dtype, c.dtype)
      assert.same({{5, 11}, {14, 23}}, ops.cast(c, "float64"):tolist())
    end
    local int8 = ops.cast(engine.tensor{{100, 100}}, "int8")
    local wide = ops.matmul(int8, ops.transpose(int8))
    assert.equal("int32", wide.dtype)
    assert.equal(20000, wide:item())
    local bools = ops.matmul(engine.tensor{{true, false}},
      engine.tensor{{true, false}, {true, true}})
    assert.equal("bool", bools.dtype)
    assert.same({{true, false}}, bools:tolist())
  end)

  it("reads transposed, sliced and broadcast operands where they lie", function()
    local a, b = values{6, 7}, values({7, 5}, nil, 1)
    local at, bt = ops.transpose(ops.copy(ops.transpose(a))),
      ops.transpose(ops.copy(ops.transpose(b)))
    local expected = product(a:tolist(), b:tolist())
    for _, x in ipairs{a, at} do
      for _, y in ipairs{b, bt} do assert.same(expected, ops.matmul(x, y):tolist()) end
    end
    local rows = ops.matmul(a:slice{{2, 6, 2}, {2, 5}}, b:slice{{1, 4}, {2, 4}})
    local sub_a, sub_b = a:slice{{2, 6, 2}, {2, 5}}:tolist(), b:slice{{1, 4}, {2, 4}}:tolist()
    assert.same(product(sub_a, sub_b), rows:tolist())
    local wide = ops.broadcast_to(values{1, 7}, {3, 7})
    assert.same(product(wide:tolist(), b:tolist()), ops.matmul(wide, b):tolist())
    assert.same(product(ops.flip(a, 2):tolist(), b:tolist()),
      ops.matmul(ops.flip(a, 2), b):tolist())
  end)

  it("multiplies many tiny matrices, transposed, sliced and broadcast ones too", function()
    for _, dtype in ipairs{"float32", "float64"} do
      for rows = 1, 4 do
        for inner = 1, 4 do
          local columns = (rows + inner) % 4 + 1
          local a, b = values({4, 9, rows, inner}, dtype), values({9, columns, inner}, dtype, 1)
          b = ops.transpose(b, {1, 3, 2})
          local parts = values({9, rows, 2 * inner}, dtype, 2):slice{{}, {}, {2, 2 * inner, 2}}
          local c, d, e = ops.matmul(a, b), ops.matmul(parts, b), ops.matmul(a[1][1], b)
          local pairs_of = ops.matmul(ops.expand_dims(parts, 2), ops.expand_dims(b, 1))
          for j = 1, 9 do
            local right = b[j]:tolist()
            assert.same(product(parts[10 - j]:tolist(), right), pairs_of[10 - j][j]:tolist())
            for i = 1, 4 do assert.same(product(a[i][j]:tolist(), right), c[i][j]:tolist()) end
            assert.same(product(parts[j]:tolist(), right), d[j]:tolist())
            assert.same(product(a[1][1]:tolist(), right), e[j]:tolist())
          end
        end
      end
    end
  end)

  it("broadcasts the leading axes", function()
    local a, b = values{2, 1, 3, 4}, values({5, 4, 2}, nil, 1)
    local c = ops.matmul(a, b)
    assert.same({2, 5, 3, 2}, c.shape)
    for i = 1, 2 do
      for j = 1, 5 do assert.same(product(a[i][1]:tolist(), b[j]:tolist()), c[i][j]:tolist()) end
    end
    -- a batch whose rows are not consecutive
    local moved = ops.transpose(values{4, 3, 2}, {2, 1, 3})
    local shared = values({2, 6}, nil, 2)
    for i = 1, 3 do
      assert.same(product(moved[i]:tolist(), shared:tolist()),
        ops.matmul(moved, shared)[i]:tolist())
    end
  end)

  it("takes vectors on either side", function()
    local m, v, w = values{3, 4}, values({4}, nil, 1), values({3}, nil, 2)
    assert.same({3}, ops.matmul(m, v).shape)
    assert.same({4}, ops.matmul(w, m).shape)
    assert.same({}, ops.matmul(v, v).shape)
    local sum = 0
    for _, x in ipairs(v:tolist()) do sum = sum + x * x end
    assert.equal(sum, ops.matmul(v, v):item())
    assert.same({2, 3}, ops.matmul(values{2, 3, 4}, v).shape)
  end)

  it("gives zeros where there is nothing to sum", function()
    assert.same({{0, 0}, {0, 0}}, ops.matmul(ops.zeros{2, 0}, ops.zeros{0, 2}):tolist())
    assert.same({0, 3}, ops.matmul(ops.zeros{0, 2}, ops.zeros{2, 3}).shape)
    assert.same({0, 2, 3}, ops.matmul(ops.zeros{0, 2, 2}, ops.zeros{2, 3}).shape)
  end)

  it("gives the same with one thread as with two", function()
    local threads = engine.get_num_threads()
    local a, b = values{300, 200}, values({200, 250}, nil, 1)
    engine.set_num_threads(1)
    local one = ops.matmul(a, b):flat()
    engine.set_num_threads(2)
    local two = ops.matmul(ops.copy(a), b):flat()
    engine.set_num_threads(threads)
    assert.same(one, two)
  end)

  it("says which axes do not fit", function()
    local text = message(ops.matmul, ops.ones{2, 3}, ops.ones{2, 2})
    assert.matches(
      "matmul: the last axis of x1 (3) and the last axis but one of x2 (2) must be equal", text, 1,
      true)
    assert.matches("got shapes [2, 3] and [2, 2]", text, 1, true)
    assert.matches(
      "matmul: the leading axes of shapes %[2, 1, 3%] and %[3, 3, 1%] do not broadcast",
      message(ops.matmul, ops.ones{2, 1, 3}, ops.ones{3, 3, 1}))
    assert.matches("at least one axis", message(ops.matmul, 2.0, ops.ones{2}))
  end)
end)

describe("products made of matmul", function()
  local a, b = values{2, 3, 4}, values({4, 5}, nil, 1)

  it("contract axes as NumPy does", function()
    assert.same(ops.matmul(a, b):tolist(), ops.dot(a, b):tolist())
    assert.same({2, 3, 2, 3}, ops.inner(a, a).shape)
    assert.same({24, 20}, ops.outer(a, b).shape)
    assert.same({2, 3, 5}, ops.tensordot_axes(a, b, {3}, {1}).shape)
    assert.same(ops.matmul(a, b):tolist(), ops.tensordot_axes(a, b, {-1}, {-2}):tolist())
    assert.equal(ops.sum(a * a):item(), ops.vdot(a, a):item())
    assert.same({{0, 1, 0, 2}, {1, 0, 2, 0}},
      ops.kron(engine.tensor{{1, 2}}, engine.tensor{{0, 1}, {1, 0}}):tolist())
  end)

  it("say what does not fit", function()
    assert.matches("dot: axis 3 of x1 and axis 1 of x2 must have one size, got 4 and 5",
      message(ops.dot, a, ops.ones{5, 2}))
    assert.matches("vdot: operands must have as many elements", message(ops.vdot, a, b))
    assert.matches("axis 1 of x1 is named twice", message(ops.tensordot_axes, a, a, {1, 1}, {1, 2}))
    assert.matches("axis 4 of x2 is out of range", message(ops.tensordot_axes, a, b, {1}, {4}))
  end)
end)

describe("einsum", function()
  local function einsum(subscripts, ...) return ops.einsum_operands({...}, subscripts) end
  local a, b = values{2, 3, 4}, values({2, 4, 5}, nil, 1)

  it("is what its parts are", function()
    assert.same(ops.matmul(a, b):tolist(), einsum("bij,bjk->bik", a, b):tolist())
    assert.same(ops.transpose(a, {3, 1, 2}):tolist(), einsum("abc->cab", a):tolist())
    assert.same(ops.sum(a, {1, 3}):tolist(), einsum("abc->b", a):tolist())
    local m = values{3, 3}
    assert.equal(ops.trace(m):item(), einsum("ii", m):item())
    assert.same(ops.diagonal(m):tolist(), einsum("ii->i", m):tolist())
    assert.same((m * m):tolist(), einsum("ij,ij->ij", m, m):tolist())
    assert.equal(ops.sum(a):item() * ops.sum(m):item(), einsum("abc,de->", a, m):item())
  end)

  it("broadcasts axes under an ellipsis", function()
    local x, y = values{2, 1, 3, 4}, values({5, 4, 2}, nil, 2)
    assert.same(ops.matmul(x, y):tolist(), einsum("...ij,...jk->...ik", x, y):tolist())
    assert.same(ops.transpose(ops.matmul(x, y), {3, 4, 1, 2}):tolist(),
      einsum("...ij,...jk->ik...", x, y):tolist())
  end)

  it("takes several operands from left to right", function()
    local x, y, z = values{2, 3}, values({3, 4}, nil, 1), values({4, 2}, nil, 2)
    assert.same(ops.matmul(ops.matmul(x, y), z):tolist(), einsum("ij,jk,kl->il", x, y, z):tolist())
    assert.same(ops.matmul(ops.matmul(x, y), z):tolist(), einsum("ij,jk,kl", x, y, z):tolist())
  end)

  it("names what is wrong", function()
    assert.matches("stands for axes of sizes 3 and 2",
      message(einsum, "ij,jk->ik", values{2, 3}, values{2, 3}))
    assert.matches("1 labels for operand 1 of shape %[2, 3%]",
      message(einsum, "i->i", values{2, 3}))
    assert.matches("does not have one subscript for each of 2 operands",
      message(einsum, "ij->i", values{2, 3}, values{2, 3}))
    assert.matches("unexpected '%?'", message(einsum, "i?->i", values{2, 3}))
    assert.matches("must name each of its labels once", message(einsum, "ij->ik", values{2, 3}))
    assert.matches("must name each of its labels once", message(einsum, "ij->ii", values{2, 3}))
    assert.matches("unexpected '%-'", message(einsum, "ij-i", values{2, 3}))
  end)
end)
