-- cusp.utils.bounding_boxes against what Keras computed (scripts/fixtures/bounding_boxes.py).
local cases = require "spec.support.cases"
local cusp = require "cusp"

local boxes = cusp.utils.bounding_boxes

local function check(got, want, case, what)
  if want.tensor then return cases.compare(got, want, case, what) end
  for key, item in pairs(want) do check(got[key], item, case, what .. "." .. key) end
end

describe("bounding boxes:", function()
  local document = cases.read "utils/bounding_boxes.json.gz"

  it("are what Keras computes", function()
    assert(#document.cases > 100, #document.cases)
    for i, case in ipairs(document.cases) do
      case.atol, case.rtol = 2e-4, 2e-4
      local args, kwargs = cases.convert(case.args), cases.convert(case.kwargs)
      local result = cases.call(boxes[case["function"]], args, kwargs)
      check(result, case.result, case, ("case %d, %s"):format(i, case["function"]))
    end
  end)

  it("may be nested tables, one call in one table, and have any case of letters", function()
    local want = {{10, 20, 20, 20}}
    assert.are.same(want, boxes.convert_format({{10, 20, 30, 40}}, "xyxy", "XYWH"):tolist())
    local x = cusp.tensor{{10, 20, 30, 40}}
    assert.are.same(want, boxes.convert_format{x, source = "xyxy", target = "xywh"}:tolist())
    local data = boxes.convert_format({boxes = x, labels = {1}}, "xyxy", "xywh")
    assert.are.same(want, data.boxes:tolist())
    assert.are.same({1}, data.labels)
  end)

  it("are refused by name where they are wrong", function()
    local x = cusp.zeros{2, 4}
    assert.error_matches(function() boxes.convert_format(cusp.zeros{2, 3}, "xyxy", "xywh") end,
      "convert_format: expected boxes with a last axis of 4, got shape %[2, 3%]")
    assert.error_matches(function() boxes.convert_format(x, "xyxy", "xyz") end,
      "convert_format: argument 'target' should be one of")
    assert.error_matches(function() boxes.convert_format(x, "xyxy", "rel_xyxy") end,
      "`height` and `width` of the image are needed")
    assert.error_matches(function() boxes.clip_to_image_size({boxes = x}) end,
      "`height` and `width`")
    assert.error_matches(function() boxes.compute_iou(x, x, "rel_xyxy") end, "`image_shape`")
    assert.error_matches(function() boxes.crop(x, 1, 1, 2, 2, "xywh") end, "in the format \"xyxy\"")
  end)
end)
