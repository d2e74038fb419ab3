--- The operators by domain and name.
-- @module cusp.onnx.load.operators
local operators = {}

local parts = {
  [""] = {"elementwise", "reductions", "shaping", "windows", "normalization", "recurrent",
    "quantization", "control", "resampling", "attention", "signals", "text"},
  ["ai.onnx.preview"] = {"attention"},
  ["com.microsoft"] = {"contributed"},
  ["ai.onnx.ml"] = {"classical"},
  ["ai.onnx.preview.training"] = {"optimizers"},
}

local loaded = {}

local function load_domain(domain)
  local found = {}
  for _, part in ipairs(parts[domain] or {}) do
    for name, operator in pairs(require("cusp.onnx.load." .. part)) do found[name] = operator end
  end
  return found
end

--- The function of an operator: gets the node and its inputs, returns the results.
-- @tparam string domain "" for the standard one
-- @tparam string name
-- @treturn ?function
function operators.find(domain, name)
  loaded[domain] = loaded[domain] or load_domain(domain)
  return loaded[domain][name]
end

return operators
