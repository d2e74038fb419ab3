-- Every public name and argument of Keras is here, or spec/support/absent.lua says why not.
local surface = require "spec.support.surface"

describe("the surface of Keras", function()
  local differences = surface.differences()
  local _, left, idle = surface.explained(differences)

  it("differs only where there is a reason", function()
    assert(#left == 0, "no reason in spec/support/absent.lua for: " .. table.concat(left, ", "))
  end)

  it("has no reasons for what is here", function()
    assert(#idle == 0, "take out of spec/support/absent.lua: " .. table.concat(idle, ", "))
  end)

  it("notices what is missing", function()
    assert.is_nil(surface.find "layers.Dens")
    assert.is_function(surface.find "ops.sum")
    local _, unexplained = surface.explained{"layers.Dens", "layers.TFSMLayer"}
    assert.are.same({"layers.Dens"}, unexplained)
  end)
end)
