--- Prints the public functions (`call_targets.lua`) as one line of JSON.
package.path = os.getenv "CUSP_FUZZ" .. "/?.lua;" .. package.path
local cusp = require "cusp"
local targets = require "call_targets"

print(cusp.json.encode(targets.here()))
