--- What a notebook shows of the library's values besides their text.
-- @module cusp.notebook.forms
local Model = require("cusp.models").Model
local Object = require "cusp.base.class"
local display = require "cusp.base.display"
local engine = require "cusp.engine"
local html = require "cusp.notebook.html"

local forms = {}

local SMALLEST_PICTURE = 8 -- pixels on a side; less is read as numbers

---------------------------------------------------------------- Base64

local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- Three bytes as four letters.
local function encode_three(a, b, c)
  local bits = a:byte() << 16 | (b ~= "" and b:byte() or 0) << 8 | (c ~= "" and c:byte() or 0)
  local function letter(shift)
    local at = (bits >> shift & 63) + 1
    return letters:sub(at, at)
  end
  return letter(18) .. letter(12) .. (b == "" and "=" or letter(6))
    .. (c == "" and "=" or letter(0))
end

--- Bytes in Base64, as pictures in messages are.
-- Source: RFC 4648, section 4.
function forms.base64(bytes) return (bytes:gsub("(.)(.?)(.?)", encode_three)) end

---------------------------------------------------------------- pictures

-- A picture as load_img gives one.
local function is_picture(tensor)
  local shape = tensor.shape
  return tensor.dtype == "uint8" and #shape == 3 and shape[1] >= SMALLEST_PICTURE
    and shape[2] >= SMALLEST_PICTURE and (shape[3] == 1 or shape[3] == 3 or shape[3] == 4)
end

local function png_of(tensor)
  local bytes = tensor:tobytes()
  local encode = require("cusp.base.native").load("png", "a picture in a notebook").encode
  return forms.base64(encode(bytes, tensor.shape[2], tensor.shape[1], tensor.shape[3]))
end

---------------------------------------------------------------- values

local function forms_of_tensor(value)
  if is_picture(value) then return {["image/png"] = png_of(value)} end
  return {["text/html"] = html.tensor(value)}
end

local function further(value)
  if engine.is_tensor(value) then return forms_of_tensor(value) end
  if engine.is_variable(value) then return forms_of_tensor(value.value) end
  local is_model = type(value) == "table" and Object.is_instance(value, Model)
  return is_model and value.built and {["text/html"] = html.model(value)} or {}
end

--- The forms of a value, with its text.
-- @treturn table MIME type → text
function forms.of(value)
  local result = display.forms_of(value)
  local ok, more = engine.attempt(further, value)
  for kind, form in pairs(ok and more or {}) do result[kind] = result[kind] or form end
  return result
end

return forms
