--- Complex numbers as pairs: the real and the imaginary part are two tensors.
-- @module cusp.ops.complex
local define = require "cusp.ops.define"
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"

local rows = engine.ops

local function view_as_complex(x)
  local shape = x.shape
  if shape[#shape] ~= 2 then
    errors.raise(
      "view_as_complex: expected a last axis of 2 (real and imaginary part), got shape %s",
      errors.shape(shape))
  end
  return table.unpack(rows.unstack(x, 2, -1))
end

local function view_as_real(x)
  if #x ~= 2 then
    errors.raise("view_as_real: expected a pair {real, imaginary}, got %d tensors", #x)
  end
  return rows.stack(x, -1)
end

local function polar(abs, angle)
  return rows.multiply(abs, rows.cos(angle)), rows.multiply(abs, rows.sin(angle))
end

local function eig(x)
  local values_re, values_im, vectors_re, vectors_im = rows.eig_pairs(x)
  return {values_re, values_im}, {vectors_re, vectors_im}
end

define.ops{
  {"eig", "x",
    "Eigenvalues of square matrices and their eigenvectors as columns; each as a pair {real, "
    .. "imaginary}.", eig},
  {"view_as_complex", "x",
    "Pairs along a last axis of 2 as complex numbers: real and imaginary part.", view_as_complex},
  {"view_as_real", "x...",
    "Complex numbers, {real, imaginary}, as pairs along a new last axis.", view_as_real},
  {"polar", "abs_, angle",
    "Complex numbers from their absolute values and angles: real and imaginary part.", polar},
}
