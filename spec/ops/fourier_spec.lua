--- Fourier transforms of every length: compared with the definition, round trips, gradients, time,
-- bad arguments.
local engine = require "cusp.engine"
local ops = require "cusp.ops"
local random = require "cusp.tensors.random"

-- cos and sin of 2 pi j k / n in float64, [n, n].
local function waves(n)
  local j = ops.arange(0, n, 1, "int64")
  local product = ops.mod(ops.multiply(ops.reshape(j, {n, 1}), ops.reshape(j, {1, n})), n)
  local angle = ops.multiply(ops.cast(product, "float64"),
    engine.tensor(2 * math.pi / n, {dtype = "float64"}))
  return ops.cos(angle), ops.sin(angle)
end

local function error_of(got, expected)
  assert.same(expected.shape, got.shape)
  local difference = ops.max(ops.absolute(ops.subtract(ops.cast(got, "float64"), expected))):item()
  return difference / math.max(ops.max(ops.absolute(expected)):item(), 1)
end

local lengths = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 25, 31, 49, 53, 61, 64, 67, 97, 121,
  128, 210, 251, 256, 509}
local tolerance = {float32 = 2e-6, float64 = 4e-15}

local function signal(rows, n, dtype) return random.normal({rows, n}, {dtype = dtype, seed = n}) end

describe("Fourier transforms", function()
  it("are those of the definition at every length, in both dtypes", function()
    for dtype, most in pairs(tolerance) do
      for _, n in ipairs(lengths) do
        local a, b = signal(19, n, dtype), signal(19, n + 1, dtype):slice{{}, {1, n}}
        local cosines, sines = waves(n)
        local x, y = ops.cast(a, "float64"), ops.cast(b, "float64")
        local real, imaginary = ops.fft{a, b}
        assert.equal(dtype, real.dtype)
        local where = dtype .. " " .. n
        assert(error_of(real, ops.add(ops.matmul(x, cosines), ops.matmul(y, sines))) < most, where)
        assert(error_of(imaginary, ops.subtract(ops.matmul(y, cosines), ops.matmul(x, sines)))
          < most, where)
        local half = {{}, {1, n // 2 + 1}}
        real, imaginary = ops.rfft(a)
        assert(error_of(real, ops.matmul(x, cosines):slice(half)) < most, where)
        assert(error_of(imaginary, ops.negative(ops.matmul(x, sines)):slice(half)) < most, where)
        assert(error_of(ops.irfft({real, imaginary}, n), x) < most, where)
      end
    end
  end)

  it("go there and back at long lengths, in time", function()
    local start = os.clock()
    for _, n in ipairs{4099, 15000, 16384, 32000, 65537} do
      local x = signal(2, n, "float64")
      local real, imaginary = ops.rfft(x)
      assert(error_of(ops.irfft({real, imaginary}, n), x) < 1e-14)
      local a, b = ops.ifft2{ops.fft2{x, ops.negative(x)}}
      assert(error_of(a, x) < 1e-14 and error_of(b, ops.negative(x)) < 1e-14)
    end
    assert(os.clock() - start < 5, "n log n")
  end)

  it("cut and fill with zeros up to fft_length, take vectors and more axes", function()
    local x = engine.tensor{1.0, 2.0, 3.0}
    assert.same({6, -2, 2}, ops.rfft(x, 4):tolist())
    assert.same({0, -2, 0}, select(2, ops.rfft(x, 4)):tolist())
    assert.same({3, -1}, ops.rfft(x, 2):tolist())
    local cube = random.normal({2, 3, 8}, {seed = 1})
    local real, imaginary = ops.fft2{cube, ops.zeros_like(cube)}
    assert.same({2, 3, 8}, real.shape)
    local rows = {ops.fft{cube, ops.zeros_like(cube)}}
    local columns = {ops.fft{ops.swapaxes(rows[1], 2, 3), ops.swapaxes(rows[2], 2, 3)}}
    assert(error_of(real, ops.cast(ops.swapaxes(columns[1], 2, 3), "float64")) < 1e-6)
    assert(error_of(imaginary, ops.cast(ops.swapaxes(columns[2], 2, 3), "float64")) < 1e-6)
    assert.same({0, 3}, ops.rfft(ops.zeros{0, 4}).shape)
  end)

  it("keep a NaN in its own row", function()
    local real = ops.rfft(engine.tensor{{1.0, 2.0, 3.0, 4.0}, {0 / 0, 0.0, 0.0, 0.0}})
    assert.same({10, -2, -2}, real[1]:tolist())
    assert.equal(3, ops.sum(ops.cast(ops.isnan(real[2]), "int32")):item())
  end)

  -- The transforms are linear: the gradient of sum(w * F x) is the transpose, computed from the
  -- transforms of unit vectors.
  it("have gradients", function()
    for _, n in ipairs{1, 2, 5, 8, 9, 53} do
      local m = n // 2 + 1
      local x, w, v = signal(1, n, "float64")[1], signal(1, 2 * m, "float64")[1],
        signal(1, 3 * n, "float64")[1]
      local w1, w2 = w:slice{{1, m}}, w:slice{{m + 1, 2 * m}}
      local v1, v2, v3 = v:slice{{1, n}}, v:slice{{n + 1, 2 * n}}, v:slice{{2 * n + 1, 3 * n}}
      local function dot(a, b) return ops.sum(ops.multiply(a, b)) end
      local functions = {
        {x, function(a) local r, i = ops.rfft(a); return ops.add(dot(r, w1), dot(i, w2)) end},
        {x, function(a) local r, i = ops.fft{a, v3}; return ops.add(dot(r, v1), dot(i, v2)) end},
        {x, function(a) local r, i = ops.ifft2{ops.reshape(v3, {1, n}), ops.reshape(a, {1, n})}
          return ops.add(dot(r, v1), dot(i, v2)) end},
        {w1, function(a) return dot(ops.irfft({a, w2}, n), v1) end},
        {w2, function(a) return dot(ops.irfft({w1, a}, n), v1) end},
      }
      for k, case in ipairs(functions) do
        local at, f = table.unpack(case)
        local tape <close> = engine.tape()
        tape:watch(at)
        local got = tape:gradient({f(at)}, {at})[1]
        local size, origin = at.shape[1], f(at):item()
        for i = 1, math.min(size, 9) do
          local unit = ops.one_hot(i - 1, size, {dtype = "float64"})
          assert.near(f(ops.add(at, unit)):item() - origin, got[i]:item(), 1e-12,
            "case " .. k .. ", n = " .. n)
        end
      end
    end
  end)

  it("refuse what has no transform", function()
    local x = ops.ones{2, 3}
    assert.has_error(function() ops.rfft(x, 0) end, "rfft: fft_length should be at least 1, got 0")
    assert.has_error(function() ops.rfft(1.0) end, "rfft: expected at least one axis, got a scalar")
    local ok, text = pcall(ops.rfft, ops.ones{2, 0})
    assert.is_false(ok)
    assert.matches("at least 1", tostring(text))
    ok, text = pcall(ops.fft, {x, ops.ones{3, 2}})
    assert.is_false(ok)
    assert.matches("one shape", tostring(text))
  end)
end)
