--- A frontend for the notebook's kernel, over sockets in a folder, so that no port can be taken.
local folder = require "spec.support.folder"
local json = require "cusp.formats.json"
local wire = require "cusp.notebook.wire"

local Frontend = {}
Frontend.__index = Frontend

local PATIENCE = 300000 -- milliseconds until a reply that does not come is a failure
local program = (os.getenv "CUSP_BUILD" or "build") .. "/cusp"

local has_zmq, zmq = pcall(require, "cusp.native.zmq")

--- Whether the part is built.
Frontend.possible = has_zmq

local names = {"shell", "control", "stdin", "iopub", "hb"}
local kinds = {shell = "dealer", control = "dealer", stdin = "dealer", iopub = "subscriber",
  hb = "requester"}

local function connection(home)
  local info = {transport = "ipc", ip = home .. "/socket", key = "a key",
    signature_scheme = "hmac-sha256"}
  for i, name in ipairs(names) do info[name .. "_port"] = i end
  return info
end

local function start(home, info)
  local file = assert(io.open(home .. "/connection.json", "w"))
  file:write(json.encode(info))
  file:close()
  local pipe = io.popen(("CUSP_HISTORY=%s/history %s kernel --connection-file %s/connection.json "
    .. "< /dev/null > %s/log 2>&1 & echo $!"):format(home, program, home, home))
  local pid = pipe:read "n"
  pipe:close()
  return pid
end

--- Starts a kernel and waits until it answers.
-- @tparam[opt] string key of the messages, where it is another than the kernel's
function Frontend.open(key)
  local self = setmetatable({folder = folder.new()}, Frontend)
  self.home = self.folder.path
  local info = connection(self.home)
  self.pid = start(self.home, info)
  self.session = wire.session(zmq.sign, key or info.key)
  self.key, self.context = info.key, zmq.context()
  for i, name in ipairs(names) do
    self[name] = self.context:socket(kinds[name], ("ipc://%s/socket-%d"):format(self.home, i),
      kinds[name] == "dealer" and self.session.id or nil)
  end
  return self
end

--- Sends a request.
-- @treturn string its id
function Frontend:send(kind, content, socket)
  local parts = self.session.write(kind, content, nil, {})
  socket = socket or self.shell
  socket:send(parts)
  return json.decode(parts[3]).msg_id
end

--- The next message of a socket; nil where none comes in time.
function Frontend:receive(socket, patience)
  if not zmq.poll({socket}, patience or PATIENCE)[1] then return nil end
  local message = assert(wire.read(socket:receive(), zmq.sign, self.key), "a bad message")
  return {kind = message.header.msg_type, content = message.content, parts = message}
end

--- Asks, and waits for the reply.
-- @treturn table the content of the reply
function Frontend:ask(kind, content, socket)
  self:send(kind, content, socket)
  local message = assert(self:receive(socket or self.shell), "no reply")
  assert(message.kind == kind:gsub("request", "reply"), message.kind)
  return message.content
end

--- Waits until the kernel's messages arrive here.
function Frontend:wait()
  for _ = 1, 600 do
    self:ask("kernel_info_request", {})
    if self:receive(self.iopub, 100) then
      while self:receive(self.iopub, 200) do end
      return self
    end
  end
  error "the kernel publishes nothing"
end

--- The messages that are published until the kernel is idle.
-- @treturn {table,...}
function Frontend:published()
  local list = {}
  while true do
    local message = assert(self:receive(self.iopub), "nothing is published")
    if message.kind == "status" and message.content.execution_state == "idle" then return list end
    if message.kind ~= "status" then list[#list + 1] = message end
  end
end

--- Runs a cell.
-- @treturn table the reply's content
-- @treturn {table,...} what was published
function Frontend:run(code, further)
  local content = {code = code}
  for name, value in pairs(further or {}) do content[name] = value end
  local reply = self:ask("execute_request", content)
  return reply, self:published()
end

--- Interrupts, as Jupyter does.
function Frontend:interrupt() os.execute("kill -INT " .. self.pid) end

--- Whether the kernel's process lives.
function Frontend:lives() return os.execute("kill -0 " .. self.pid .. " 2> /dev/null") == true end

--- Ends the kernel; `ended` says whether it did when it was asked to.
function Frontend:close()
  self:send("shutdown_request", {restart = false}, self.control)
  for _, name in ipairs(names) do self[name]:close() end
  self.context:close()
  for _ = 1, 400 do
    if not self:lives() then break end
    os.execute "sleep 0.05"
  end
  self.ended = not self:lives()
  if not self.ended then os.execute("kill -9 " .. self.pid) end
  self.folder:remove()
end

return Frontend
