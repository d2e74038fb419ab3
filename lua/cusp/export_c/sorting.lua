--- Sorting and searching along the last axis.
-- @module cusp.export_c.sorting
local text = require "cusp.export_c.text"
local with = require("cusp.export_c.arrays").indices

local sorting = {}

--- How many of a sorted sequence are below each value.
function sorting.search_sorted(step, op)
  local sorted, values = step:array(op.inputs[1]), step:array(op.inputs[2])
  local result = step:result(op.first_output)
  local indices, blocks = step:loops("i", values.shape)
  if blocks == 0 then step:open "{" end
  step:line "int count = 0;"
  step:open("while (count < %d && %s %s %s) {", sorted.shape[1], step:at(sorted, {"count"}),
    op.attributes.or_equal and "<=" or "<", step:at(values, indices))
  step:line "count++;"
  step:close()
  step:line("%s = (%s)count;", step:place(result, indices), text.type(result.dtype))
  step:close(math.max(blocks, 1))
end

--- The positions of the elements in rising order, equal ones as they were: by insertion.
function sorting.argsort_rows(step, op)
  local x, result = step:array(op.inputs[1]), step:result(op.first_output)
  local indices, blocks = step:row_loops(x.shape)
  step:open("for (int j = 0; j < %d; j++) {", x.shape[#x.shape])
  step:line "int k = j;"
  step:open("while (k > 0 && %s > %s) {", step:at(x, with(indices,
    step:place(result, with(indices, "k - 1")))), step:at(x, with(indices, "j")))
  step:line("%s = %s;", step:place(result, with(indices, "k")),
    step:place(result, with(indices, "k - 1")))
  step:line "k--;"
  step:close()
  step:line("%s = j;", step:place(result, with(indices, "k")))
  step:close(1 + blocks)
end

--- The positions of the k greatest elements, the greatest first: by insertion.
function sorting.top_k_rows(step, op)
  local x, result = step:array(op.inputs[1]), step:result(op.first_output)
  local indices, blocks = step:row_loops(x.shape)
  step:line "int count = 0;"
  step:open("for (int j = 0; j < %d; j++) {", x.shape[#x.shape])
  step:line "int k = count;"
  step:open("while (k > 0 && %s < %s) {", step:at(x, with(indices,
    step:place(result, with(indices, "k - 1")))), step:at(x, with(indices, "j")))
  step:line("if (k < %d)", op.attributes.k)
  step:line("  %s = %s;", step:place(result, with(indices, "k")),
    step:place(result, with(indices, "k - 1")))
  step:line "k--;"
  step:close()
  step:line("if (k < %d)", op.attributes.k)
  step:line("  %s = j;", step:place(result, with(indices, "k")))
  step:line("count += count < %d;", op.attributes.k)
  step:close(1 + blocks)
end

return sorting
