--- Decompositions multiplied together again, linear systems, batches, matrices that cannot be
-- decomposed.
local engine = require "cusp.engine"
local ops = engine.ops

local function values(shape, seed)
  local count, data = 1, {}
  for _, size in ipairs(shape) do count = count * size end
  for i = 1, count do data[i] = ((i * 0.6180339887498949 + (seed or 0) * 0.37) % 1) * 2 - 1 end
  return engine.tensor(data, {shape = shape, dtype = "float64"})
end

local function near(expected, got, tolerance)
  assert.same(expected.shape, got.shape)
  expected, got = expected:flat(), got:flat()
  for i = 1, #expected do assert.near(expected[i], got[i], tolerance or 1e-11) end
end

local function turned(x) return ops.swapaxes(x, -1, -2) end
local function definite(shape)
  return ops.matmul(values(shape), turned(values(shape)))
    + ops.eye(shape[#shape], {dtype = "float64"})
end

local function message(f, ...)
  local ok, text = pcall(function(...) return f(...):flat() end, ...)
  assert.is_false(ok)
  return text
end

describe("a decomposition", function()
  it("gives its matrix back", function()
    for _, shape in ipairs{{1, 1}, {5, 5}, {2, 3, 4, 4}} do
      local a = definite(shape)
      local l = ops.cholesky(a)
      near(a, ops.matmul(l, turned(l)))
      near(turned(l), ops.cholesky(a, true))
      near(ops.inv(a), ops.cholesky_inverse(l), 1e-9)
      local w, v = ops.eigh(a)
      near(a, ops.matmul(v * ops.expand_dims(w, -2), turned(v)))
    end
    for _, shape in ipairs{{4, 4}, {5, 3}, {3, 5}, {2, 4, 2}, {2, 1, 3}} do
      local a = values(shape)
      for _, mode in ipairs{"reduced", "complete"} do
        local q, r = ops.qr(a, mode)
        near(a, ops.matmul(q, r))
        near(ops.broadcast_to(ops.eye(q.shape[#q.shape], {dtype = "float64"}),
          ops.matmul(turned(q), q).shape), ops.matmul(turned(q), q))
        near(ops.triu(r), r)
      end
      local u, s, vh = ops.svd(a, false)
      near(a, ops.matmul(u * ops.expand_dims(s, -2), vh))
      near(s, (ops.svd(a, true, false)))
      local full_u, _, full_vh = ops.svd(a)
      assert.equal(shape[#shape - 1], full_u.shape[#shape])
      assert.equal(shape[#shape], full_vh.shape[#shape - 1])
      near(a, ops.matmul(ops.matmul(a, ops.pinv(a)), a))
    end
  end)

  it("into triangles names the rows exchanged", function()
    local lu, pivots = ops.lu_factor(engine.tensor{{1.0, 2.0}, {4.0, 4.0}})
    assert.same({{4, 4}, {0.25, 1}}, lu:tolist())
    assert.same({1, 1}, pivots:tolist())
  end)

  it("keeps the dtype", function()
    for _, dtype in ipairs{"float16", "float32", "float64"} do
      local a = ops.cast(engine.tensor{{4.0, 2.0}, {2.0, 5.0}}, dtype)
      for _, name in ipairs{"cholesky", "det", "inv", "eigh", "qr", "svd", "pinv", "slogdet"} do
        assert.equal(dtype, (ops[name](a)).dtype)
      end
      assert.equal("int32", ops.matrix_rank(a).dtype)
    end
    assert.equal("float32", ops.inv(engine.tensor{{2, 0}, {0, 2}}).dtype)
  end)

  it("says why it cannot be", function()
    assert.matches(
      "the matrix is not positive definite: its leading minor of order 2 is not positive",
      message(ops.cholesky, engine.tensor{{1.0, 2.0}, {2.0, 1.0}}))
    assert.matches("expected square matrices in the last two axes, got shape %[2, 3%]",
      message(ops.cholesky, values{2, 3}))
    assert.matches("qr: expected matrices in the last two axes, got shape %[3%]",
      message(ops.qr, values{3}))
    assert.matches('qr: mode should be "reduced" or "complete", got "full"',
      message(ops.qr, values{3, 3}, "full"))
  end)
end)

describe("a linear system", function()
  it("is solved, one or many at a time", function()
    local a, b, v = values{2, 3, 3}, values({2, 3, 4}, 1), values({3}, 2)
    near(b, ops.matmul(a, ops.solve(a, b)))
    near(ops.broadcast_to(v, {2, 3}),
      ops.matmul(a, ops.expand_dims(ops.solve(a, v), 3)):reshape{2, 3})
    local lower = ops.tril(a) + 2 * ops.eye(3, {dtype = "float64"})
    near(b, ops.matmul(lower, ops.solve_triangular(lower + ops.triu(a, 1), b, true)))
    near(b, ops.matmul(turned(lower), ops.solve_triangular(turned(lower), b)))
    near(ops.inv(a), ops.solve(a, ops.eye(3, {dtype = "float64"})))
    assert.matches("the matrix is singular",
      message(ops.solve, engine.tensor{{1.0, 2.0}, {2.0, 4.0}}, engine.tensor{1.0, 1.0}))
    assert.matches("b must have as many rows as a", message(ops.solve, a, values{2, 4, 1}))
  end)

  it("is solved in the sense of least squares", function()
    local a, b = values{5, 2}, values({5}, 3)
    local x = ops.lstsq(a, b)
    near(ops.matmul(turned(a), b), ops.matmul(turned(a), ops.matmul(a, x)))
    assert.same({5, 2}, ops.lstsq(turned(a), values{2, 2}).shape)
  end)
end)

describe("a determinant", function()
  it("has the sign of the exchanges", function()
    assert.near(-2, ops.det(engine.tensor{{1.0, 2.0}, {3.0, 4.0}}):item(), 1e-6)
    assert.near(0, ops.det(engine.tensor{{1.0, 2.0}, {2.0, 4.0}}):item(), 1e-6)
    assert.equal(-1, ops.det(engine.tensor{{0.0, 1.0}, {1.0, 0.0}}):item())
    local sign, logarithm = ops.slogdet(engine.tensor{{0.0, 2.0}, {3.0, 0.0}})
    assert.equal(-1, sign:item())
    assert.near(math.log(6), logarithm:item(), 1e-6)
    assert.equal(-math.huge, (select(2, ops.slogdet(engine.tensor{{0.0, 0.0}, {0.0, 0.0}}))):item())
    assert.same({2, 3}, ops.logdet(values{2, 3, 4, 4}).shape)
  end)
end)

describe("a rank", function()
  it("counts the singular values that matter", function()
    local a = ops.matmul(values{4, 2}, values({2, 5}, 1))
    assert.equal(2, ops.matrix_rank(a):item())
    assert.equal(0, ops.matrix_rank(a, 100.0):item())
    assert.equal(0, ops.matrix_rank(ops.zeros{3, 3}):item())
  end)
end)
