--- The hash functions of strings that TensorFlow's layers use, so that the same strings fall into
-- the same bins. Hashes are 64-bit Lua integers; `bucket` takes them as unsigned. Sources: Pike and
-- Alakuijala, FarmHash (Fingerprint64 of the reference implementation, github.com/google/farmhash);
-- Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012).
-- @module cusp.layers.preprocessing.hash_functions
local hash_functions = {}

local unpack = string.unpack

local function fetch(s, at) return (unpack("<i8", s, at + 1)) end
local function fetch32(s, at) return (unpack("<I4", s, at + 1)) end
local function rotate_right(x, by) return (x >> by) | (x << (64 - by)) end
local function rotate_left(x, by) return (x << by) | (x >> (64 - by)) end
local function shift_mix(x) return x ~ (x >> 47) end

---------------------------------------------------------------- FarmHash

local k0, k1, k2 = 0xc3a5c85c97cb3127, 0xb492b66fbe98f273, 0x9ae16a3b2f90404f

local function combine(u, v, factor)
  local a = shift_mix((u ~ v) * factor)
  return shift_mix((v ~ a) * factor) * factor
end

local function up_to_16(s, n)
  local factor = k2 + n * 2
  if n >= 8 then
    local a, b = fetch(s, 0) + k2, fetch(s, n - 8)
    return combine(rotate_right(b, 37) * factor + a, (rotate_right(a, 25) + b) * factor, factor)
  elseif n >= 4 then
    return combine(n + (fetch32(s, 0) << 3), fetch32(s, n - 4), factor)
  elseif n > 0 then
    local y = s:byte(1) + (s:byte((n >> 1) + 1) << 8)
    local z = n + (s:byte(n) << 2)
    return shift_mix(y * k2 ~ z * k0) * k2
  end
  return k2
end

local function up_to_32(s, n)
  local factor = k2 + n * 2
  local a, b = fetch(s, 0) * k1, fetch(s, 8)
  local c, d = fetch(s, n - 8) * factor, fetch(s, n - 16) * k2
  return combine(rotate_right(a + b, 43) + rotate_right(c, 30) + d,
    a + rotate_right(b + k2, 18) + c, factor)
end

local function up_to_64(s, n)
  local factor = k2 + n * 2
  local a, b = fetch(s, 0) * k2, fetch(s, 8)
  local c, d = fetch(s, n - 8) * factor, fetch(s, n - 16) * k2
  local y = rotate_right(a + b, 43) + rotate_right(c, 30) + d
  local z = combine(y, a + rotate_right(b + k2, 18) + c, factor)
  local e, f = fetch(s, 16) * factor, fetch(s, 24)
  local g, h = (y + fetch(s, n - 32)) * factor, (z + fetch(s, n - 24)) * factor
  return combine(rotate_right(e + f, 43) + rotate_right(g, 30) + h, e + rotate_right(f + a, 18) + g,
    factor)
end

local function weak(s, at, a, b)
  local w, z = fetch(s, at), fetch(s, at + 24)
  a = a + w
  b = rotate_right(b + a + z, 21)
  local c = a
  a = a + fetch(s, at + 8) + fetch(s, at + 16)
  return a + z, b + rotate_right(a, 44) + c
end

local function longer(s, n)
  local x, y = 81, 81 * k1 + 113
  local z = shift_mix(y * k2 + 113) * k2
  local v1, v2, w1, w2 = 0, 0, 0, 0
  x = x * k2 + fetch(s, 0)
  local last = (n - 1) // 64 * 64
  for at = 0, last - 64, 64 do
    x = rotate_right(x + y + v1 + fetch(s, at + 8), 37) * k1
    y = rotate_right(y + v2 + fetch(s, at + 48), 42) * k1
    x = x ~ w2
    y = y + v1 + fetch(s, at + 40)
    z = rotate_right(z + w1, 33) * k1
    v1, v2 = weak(s, at, v2 * k1, x + w1)
    w1, w2 = weak(s, at + 32, z + w2, y + fetch(s, at + 16))
    x, z = z, x
  end
  local factor, at = k1 + ((z & 0xff) << 1), n - 64
  w1 = w1 + ((n - 1) & 63)
  v1 = v1 + w1
  w1 = w1 + v1
  x = rotate_right(x + y + v1 + fetch(s, at + 8), 37) * factor
  y = rotate_right(y + v2 + fetch(s, at + 48), 42) * factor
  x = x ~ (w2 * 9)
  y = y + v1 * 9 + fetch(s, at + 40)
  z = rotate_right(z + w1, 33) * factor
  v1, v2 = weak(s, at, v2 * factor, x + w1)
  w1, w2 = weak(s, at + 32, z + w2, y + fetch(s, at + 16))
  x, z = z, x
  return combine(combine(v1, w1, factor) + shift_mix(y) * k0 + z, combine(v2, w2, factor) + x,
    factor)
end

--- FarmHash's Fingerprint64 of a string.
-- @tparam string s
-- @treturn integer
function hash_functions.farmhash(s)
  local n = #s
  if n <= 16 then return up_to_16(s, n) end
  if n <= 32 then return up_to_32(s, n) end
  if n <= 64 then return up_to_64(s, n) end
  return longer(s, n)
end

--- One fingerprint of two.
function hash_functions.concatenate(a, b)
  local factor = 0xc6a4a7935bd1e995
  local result = (a ~ factor) ~ shift_mix(b * factor) * factor
  return shift_mix(shift_mix(result * factor) * factor)
end

---------------------------------------------------------------- SipHash

local function sip_round(a, b, c, d)
  a = a + b
  b = rotate_left(b, 13) ~ a
  a = rotate_left(a, 32)
  c = c + d
  d = rotate_left(d, 16) ~ c
  a = a + d
  d = rotate_left(d, 21) ~ a
  c = c + b
  b = rotate_left(b, 17) ~ c
  return a, b, rotate_left(c, 32), d
end

--- SipHash-2-4 of a string under a key of two integers.
-- @tparam string s
-- @tparam {integer,integer} key
-- @treturn integer
function hash_functions.siphash(s, key)
  local a, b = key[1] ~ 0x736f6d6570736575, key[2] ~ 0x646f72616e646f6d
  local c, d = key[1] ~ 0x6c7967656e657261, key[2] ~ 0x7465646279746573
  local n = #s
  local padded = s .. ("\0"):rep(7 - n % 8) .. string.char(n & 0xff)
  for at = 0, #padded - 8, 8 do
    local word = fetch(padded, at)
    d = d ~ word
    a, b, c, d = sip_round(a, b, c, d)
    a, b, c, d = sip_round(a, b, c, d)
    a = a ~ word
  end
  c = c ~ 0xff
  for _ = 1, 4 do a, b, c, d = sip_round(a, b, c, d) end
  return a ~ b ~ c ~ d
end

--- The hash modulo a number of buckets, both unsigned.
function hash_functions.bucket(hash, buckets)
  if hash >= 0 then return hash % buckets end
  local rest = hash - ((hash >> 1) // buckets << 1) * buckets
  return math.ult(rest, buckets) and rest or rest - buckets
end

--- The bucket of a string: by FarmHash, or by SipHash where there is a key.
-- @tparam string s
-- @tparam integer buckets
-- @tparam ?{integer,integer} key
-- @treturn integer from 0
function hash_functions.bucket_of(s, buckets, key)
  return hash_functions.bucket(key and hash_functions.siphash(s, key) or hash_functions.farmhash(s),
    buckets)
end

return hash_functions
