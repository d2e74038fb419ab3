local metrics = require("cusp").metrics

describe("metrics.get", function()
  it("knows the short names of classes", function()
    for name, class in pairs{
      mse = "MeanSquaredError", KLD = "KLDivergence", log_cosh = "LogCoshError",
      logcosh = "LogCoshError",
    } do
      assert.equal(class, metrics.get(name).__name)
    end
  end)
end)
