--- Calls a function that is to fail, and returns its message.
return function(f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "expected an error")
  return tostring(message)
end
