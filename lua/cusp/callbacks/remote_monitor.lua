--- Sends the logs of each epoch to a server: an HTTP POST of `epoch` (from 0, as in Keras) and the
-- values as JSON, through the program `curl` (Debian: curl). If the server cannot be reached, you
-- get a warning, and training continues.
-- @classmod cusp.callbacks.RemoteMonitor
-- @tparam[opt="http://localhost:9000"] string root
-- @tparam[opt="/publish/epoch/end/"] string path
-- @tparam[opt="data"] string field form field that carries the JSON text
-- @tparam[opt] table headers by name
-- @tparam[opt=false] boolean send_as_json whether the JSON text is the whole body, as
-- application/json
local Callback = require "cusp.callbacks.callback"
local errors = require "cusp.base.errors"
local plain = require "cusp.base.plain"
local warnings = require "cusp.base.warnings"

local RemoteMonitor = Callback:extend("RemoteMonitor", {
  writes = true,
  config = {
    {"root", "string", default = "http://localhost:9000"},
    {"path", "string", default = "/publish/epoch/end/"},
    {"field", "string", default = "data"}, {"headers", "any", optional = true},
    {"send_as_json", "boolean", default = false},
  },
})

--- Timeout in seconds for a server that does not answer.
RemoteMonitor.timeout = 10

local function check_headers(headers)
  if headers == nil then return end
  if type(headers) ~= "table" then
    errors.raise("RemoteMonitor: headers should be a table of values by name, got %s",
      errors.describe(headers))
  end
  for name, value in pairs(headers) do
    if type(name) ~= "string" or (name .. plain.tostring(value)):find "[\r\n]" then
      errors.raise("RemoteMonitor: headers: names and values should be single lines, got %s = %s",
        errors.describe(name), errors.describe(value))
    end
  end
end

function RemoteMonitor:init(args)
  self:configure(args)
  check_headers(self.headers)
  if not self.root:find "^https?://[^%s]+$" or self.path:find "%s" then
    errors.raise(
      "RemoteMonitor: root and path should make a URL such as http://localhost:9000/publish, got "
      .. "%q and %q", self.root,
      self.path)
  end
end

local function percent_encode(text)
  return (text:gsub("[^%w%-._~]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

-- JSON has no numbers for these; Python's writer, and so Keras, writes NaN and Infinity.
local function body_of(self, epoch, logs)
  local json, ordered = require "cusp.formats.json", require "cusp.base.ordered"
  local send = {epoch = epoch - 1}
  for name, value in pairs(logs) do send[name] = value end
  local text = json.encode(ordered.object(send))
  if self.send_as_json then return text, "application/json" end
  return percent_encode(self.field) .. "="
    .. percent_encode(text), "application/x-www-form-urlencoded"
end

local escapes = {['"'] = '\\"', ["\\"] = "\\\\"}

local function option(name, value)
  return ('%s = "%s"\n'):format(name, (value:gsub('["\\]', escapes)))
end

-- The options of curl, passed on its input, since they may hold secrets that process lists would
-- show.
local function request(self, epoch, logs)
  local body, kind = body_of(self, epoch, logs)
  local options = {
    option("url", self.root .. self.path), option("header", "Content-Type: " .. kind),
    option("data-raw", body),
    option("output", "/dev/null"), option("max-time", plain.tostring(self.timeout)), "silent\n",
  }
  for name, value in pairs(self.headers or {}) do
    options[#options + 1] = option("header", ("%s: %s"):format(name, plain.tostring(value)))
  end
  return table.concat(options)
end

function RemoteMonitor:on_epoch_end(epoch, logs)
  local code, reason = require("cusp.native.process").run({"curl", "--config", "-"},
    request(self, epoch, logs or {}))
  if code == nil then
    errors.raise(
      "RemoteMonitor: the program curl is needed (Debian: curl) and could not be started: %s",
      plain.tostring(reason))
  end
  if code ~= 0 then
    warnings.warn("Could not reach RemoteMonitor root server at %s (curl ended with code %d)",
      self.root, code)
  end
end

return RemoteMonitor
