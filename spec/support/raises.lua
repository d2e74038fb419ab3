--- Calls a function that is to fail, and checks that the message has these parts.
return function(f, ...)
  local ok, message = pcall(f)
  assert(not ok, "expected an error")
  for _, part in ipairs{...} do
    assert(tostring(message):find(part, 1, true),
      ("expected '%s' in: %s"):format(part, tostring(message)))
  end
end
