-- Asks, and tells what was asked for, on the studies whose paths are the arguments; for wrk. A worker is called as its study, so
-- that an answer says which study it is of.
local studies, queue, turn = {}, {}, 0
local headers = { ["Content-Type"] = "application/json" }

function init(arguments)
  for _, study in ipairs(arguments) do studies[#studies + 1] = study end
end

function request()
  local trial = table.remove(queue)
  if trial then
    return wrk.format("POST", trial .. "/tell", headers, '{"metrics": {"value": 1.5}}')
  end
  turn = turn % #studies + 1
  return wrk.format("POST", studies[turn] .. "/ask", headers, '{"worker": "' .. studies[turn] .. '"}')
end

function response(status, _, body)
  if status == 200 and body:sub(1, 10) == '{"trials":' then
    queue[#queue + 1] = body:match('"worker":"([^"]+)"') .. "/trials/" .. body:match('"number":(%d+)')
  end
end
