--- Fourier transforms along the last axis.
-- @module cusp.export_c.fourier
local engine = require "cusp.engine"
local text = require "cusp.export_c.text"
local with = require("cusp.export_c.arrays").indices

local fourier = {}

local function is_power_of_two(n) return n & n - 1 == 0 end

-- The cosines and sines of all steps of a circle, once for each number of steps.
local function table_of(program, name, f, n, dtype)
  local full = ("%s_%s_%d_%s"):format(program.prefix, name, n, dtype)
  if program.names[full] then return full end
  program.names[full] = true
  local values = {}
  for k = 1, n do values[k] = f(2 * math.pi * (k - 1) / n) end
  table.insert(program.constants, {name = full, dtype = dtype, constant = true, used = true,
    tensor = engine.tensor(values, {dtype = dtype}), comment = "steps of a circle"})
  return full
end

local function describe(step, dtype, n, sign)
  local f = {n = n, sign = sign, type = text.type(dtype)}
  f.from = {step:scratch(dtype, {n}), step:scratch(dtype, {n})}
  if n == 1 then return f end
  f.to = {step:scratch(dtype, {n}), step:scratch(dtype, {n})}
  f.cosines = table_of(step.program, "cosines", math.cos, n, dtype)
  f.sines = table_of(step.program, "sines", math.sin, n, dtype)
  return f
end

local function sign_of(f) return f.sign < 0 and "-" or "" end

-- Stockham's passes of radix 2, which leave the result in order; from one pair of buffers to the
-- other and back.
local function pass(step, f, half, stride)
  local a, b = f.from, f.to
  local function at(part, index) return step:place(part, {index}) end
  step:open("for (int p = 0; p < %d; p++) {", half)
  step:line("const %s c = %s[p * %d], s = %s%s[p * %d];", f.type, f.cosines, stride, sign_of(f),
    f.sines, stride)
  step:open("for (int q = 0; q < %d; q++) {", stride)
  step:line("const int x = p * %d + q, y = 2 * p * %d + q;", stride, stride)
  local second = ("x + %d"):format(half * stride)
  step:line("const %s re = %s - %s;", f.type, at(a[1], "x"), at(a[1], second))
  step:line("const %s im = %s - %s;", f.type, at(a[2], "x"), at(a[2], second))
  step:line("%s = %s + %s;", at(b[1], "y"), at(a[1], "x"), at(a[1], second))
  step:line("%s = %s + %s;", at(b[2], "y"), at(a[2], "x"), at(a[2], second))
  step:line("%s = re * c - im * s;", at(b[1], ("y + %d"):format(stride)))
  step:line("%s = re * s + im * c;", at(b[2], ("y + %d"):format(stride)))
  step:close(2)
  f.from, f.to = b, a
end

-- The sum of its definition, for other numbers of points.
local function sums(step, f)
  local a, b = f.from, f.to
  local function at(part, index) return step:place(part, {index}) end
  step:open("for (int k = 0; k < %d; k++) {", f.n)
  step:line("%s re = 0, im = 0;", f.type)
  step:open("for (int t = 0, angle = 0; t < %d; t++) {", f.n)
  step:line("const %s c = %s[angle], s = %s%s[angle];", f.type, f.cosines, sign_of(f), f.sines)
  step:line("re += %s * c - %s * s;", at(a[1], "t"), at(a[2], "t"))
  step:line("im += %s * s + %s * c;", at(a[1], "t"), at(a[2], "t"))
  step:line("angle = (angle + k) %% %d;", f.n)
  step:close()
  step:line("%s = re;", at(b[1], "k"))
  step:line("%s = im;", at(b[2], "k"))
  step:close()
  f.from, f.to = b, a
end

-- Transforms what is in `f.from`, where the result is then, too.
local function transform(step, f)
  if not is_power_of_two(f.n) then return sums(step, f) end
  local half, stride = f.n // 2, 1
  while half >= 1 do
    pass(step, f, half, stride)
    half, stride = half // 2, stride * 2
  end
end

local function each(step, count, f)
  step:open("for (int j = 0; j < %d; j++) {", count)
  f "j"
  step:close()
end

-- Fills the buffers from the arrays of the real and (but for real numbers) the imaginary part.
local function load(step, f, parts, indices, count, weight)
  each(step, f.n, function(j)
    for part = 1, 2 do
      local code = parts[part] and step:at(parts[part], with(indices, j)) or "0"
      if weight and parts[part] then code = weight(code) end
      if count < f.n then code = ("j < %d ? %s : 0"):format(count, code) end
      step:line("%s = %s;", step:place(f.from[part], {j}), code)
    end
  end)
end

local function store(step, f, parts, indices, count, weight)
  each(step, count, function(j)
    for part, array in ipairs(parts) do
      local code = step:place(f.from[part], {j})
      step:line("%s = %s;", step:place(array, with(indices, j)), weight and weight(code) or code)
    end
  end)
end

-- Counts a frequency twice that stands for its conjugate too.
local function doubling(n, doubled)
  if not doubled or n < 3 then return nil end
  return function(code)
    return n % 2 == 0 and ("(j > 0 && j < %d ? 2 : 1) * %s"):format(n // 2, code)
      or ("(j > 0 ? 2 : 1) * %s"):format(code)
  end
end

function fourier.fourier(step, op)
  local parts = {step:array(op.inputs[1]), step:array(op.inputs[2])}
  local results = {step:result(op.first_output), step:result(op.first_output + 1)}
  local shape = parts[1].shape
  local f = describe(step, parts[1].dtype, shape[#shape], op.attributes.inverse and 1 or -1)
  local indices, blocks = step:row_loops(shape)
  load(step, f, parts, indices, f.n)
  transform(step, f)
  store(step, f, results, indices, f.n)
  step:close(blocks)
end

function fourier.fourier_real(step, op)
  local x = step:array(op.inputs[1])
  local results = {step:result(op.first_output), step:result(op.first_output + 1)}
  local f = describe(step, x.dtype, x.shape[#x.shape], -1)
  local indices, blocks = step:row_loops(x.shape)
  load(step, f, {x}, indices, f.n)
  transform(step, f)
  store(step, f, results, indices, f.n // 2 + 1, doubling(f.n, op.attributes.doubled))
  step:close(blocks)
end

-- The real part of the transform back of the half alone.
function fourier.fourier_from_half(step, op)
  local parts = {step:array(op.inputs[1]), step:array(op.inputs[2])}
  local result, shape = step:result(op.first_output), parts[1].shape
  local f = describe(step, result.dtype, op.attributes.n, 1)
  local indices, blocks = step:row_loops(shape)
  load(step, f, parts, indices, shape[#shape], doubling(f.n, op.attributes.doubled))
  transform(step, f)
  store(step, f, {result}, indices, f.n)
  step:close(blocks)
end

return fourier
