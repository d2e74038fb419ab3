--- A kernel: its sockets, and the loop that answers requests.
-- @module cusp.notebook.kernel
local engine = require "cusp.engine"
local errors = require "cusp.base.errors"
local json = require "cusp.formats.json"
local native = require "cusp.base.native"
local wire = require "cusp.notebook.wire"

local Kernel = {}
Kernel.__index = Kernel

local SETTLE = 20 -- milliseconds in which what was sent at once arrives

---------------------------------------------------------------- the connection

local ports = {"shell_port", "control_port", "stdin_port", "iopub_port", "hb_port"}

local function check_connection(path, info)
  if type(info) ~= "table" then
    errors.raise("kernel: '%s' is no connection file: expected a JSON object", path)
  end
  for _, name in ipairs(ports) do
    if math.type(info[name]) ~= "integer" then
      errors.raise("kernel: '%s' is no connection file: expected an integer '%s', got %s", path,
        name, errors.describe(info[name]))
    end
  end
  local scheme = info.signature_scheme
  if scheme and scheme ~= "" and scheme ~= "hmac-sha256" then
    errors.raise("kernel: messages can be signed by hmac-sha256, the connection file asks for '%s'",
      scheme)
  end
  return info
end

local function read_connection(path)
  local file, problem = io.open(path)
  if not file then errors.raise("kernel: the connection file cannot be read: %s", problem) end
  local text = file:read "a" or ""
  file:close()
  return check_connection(path, json.decode(text))
end

local function address(info, name)
  local transport, ip, port = info.transport or "tcp", info.ip or "127.0.0.1", info[name]
  return ("%s://%s%s%d"):format(transport, ip, transport == "ipc" and "-" or ":", port)
end

--- Opens the sockets that a connection file names.
-- @tparam string path
-- @treturn table
-- @raise if the file is none, a port is taken, or the libraries are not there
function Kernel.open(path)
  local zmq = native.load("zmq", "the notebook's kernel")
  local info = read_connection(path)
  local key = info.key or ""
  local self = setmetatable({zmq = zmq, key = key, session = wire.session(zmq.sign, key),
    waiting = {}}, Kernel)
  self.context = zmq.context()
  self.shell = self.context:socket("router", address(info, "shell_port"))
  self.control = self.context:socket("router", address(info, "control_port"))
  self.stdin = self.context:socket("router", address(info, "stdin_port"))
  self.context:echo(address(info, "hb_port"))
  self.output = self.context:output{address = address(info, "iopub_port"), key = key,
    session = self.session.id, user = self.session.user}
  return self
end

--- Gives standard output back and closes the sockets.
function Kernel:close()
  self.output:close()
  for _, name in ipairs{"shell", "control", "stdin"} do self[name]:close() end
  self.context:close()
end

---------------------------------------------------------------- messages

--- Publishes a message to everybody who listens, behind what was written before.
-- @tparam string kind
-- @tparam table content
-- @tparam[opt] table metadata
function Kernel:publish(kind, content, metadata)
  self.output:send(self.session.write(kind, content, self.request, {kind}, metadata))
end

--- Answers the request that is served.
function Kernel:reply(kind, content)
  local request = self.request
  request.socket:send(self.session.write(kind, content, request, request.identities))
end

-- A request that waits on a socket; nil where none does.
local function receive(self, socket)
  local parts = socket:receive()
  local request = parts and wire.read(parts, self.zmq.sign, self.key)
  if request then request.socket = socket end
  return request
end

--- Asks the frontend for a line of input, and waits.
-- @tparam string prompt
-- @tparam boolean password whether it is to be hidden
-- @treturn string
-- @raise if the frontend cannot ask
function Kernel:ask(prompt, password)
  local request = self.request
  if not request or request.content.allow_stdin ~= true then
    errors.raise "io.read: this frontend takes no input"
  end
  while self.stdin:receive() do end -- answers that came too late
  self.stdin:send(self.session.write("input_request", {prompt = prompt, password = password},
    request, request.identities))
  while true do
    self.zmq.poll({self.stdin}, -1)
    local answer = receive(self, self.stdin)
    if answer and answer.header.msg_type == "input_reply" then
      return tostring(answer.content.value or "")
    end
  end
end

---------------------------------------------------------------- serving

local function serve(self, request, handlers)
  local handler = request.aborted and handlers.abort or handlers[request.header.msg_type]
  self.request = request
  self.output:parent(request.header_text)
  self:publish("status", {execution_state = "busy"})
  if handler then handler(self, request.content) end
  self:publish("status", {execution_state = "idle"})
end

--- Takes the requests that were sent while one ran that failed: code among them is not run.
function Kernel:abort_waiting()
  while self.zmq.poll({self.shell}, SETTLE)[1] do
    local request = receive(self, self.shell)
    if request then
      request.aborted = request.header.msg_type == "execute_request"
      self.waiting[#self.waiting + 1] = request
    end
  end
end

-- What waits first, of which control is more urgent.
local function next_request(self)
  if #self.waiting > 0 then return table.remove(self.waiting, 1) end
  local ready = self.zmq.poll({self.control, self.shell}, -1)
  if not ready then return nil end
  return ready[1] and receive(self, self.control) or ready[2] and receive(self, self.shell) or nil
end

local function step(self, handlers)
  local request = next_request(self)
  if request then serve(self, request, handlers) end
end

--- Answers requests until one ends the kernel.
-- @tparam table handlers kind → function(kernel, content); `abort` answers what is not run
-- @tparam function call as xpcall; interrupts end there
function Kernel:run(handlers, call)
  self:publish("status", {execution_state = "starting"})
  while not self.done do
    local ok, problem = call(function() step(self, handlers) end, debug.traceback)
    if not ok and not engine.is_interrupt(problem) then
      io.stderr:write("kernel: ", tostring(problem), "\n")
    end
  end
end

return Kernel
