local operators = {}

return operators
