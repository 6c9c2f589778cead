-- A process that a reload has replaced lets go of what it still has, one member after the other.
--
-- HAProxy itself cuts everything at once when its time is over. A query engine would be without all of its stores in the same moment, and
-- answer with nothing to whoever asks then; a node of the object store would be without most of the others. Whoever is cut off connects anew,
-- to the new process.

-- Milliseconds that connections get to end by themselves, and in which all are cut: together less than hard-stop-after. Once the former are
-- over, none is still being made (see cut.lua).
local grace, whole = 15000, 10000

local function left()
  local found = {}
  for _, backend in pairs(core.backends) do
    for _, server in pairs(backend.servers) do
      if server:get_stats().scur > 0 then
        table.insert(found, server)
      end
    end
  end
  return found
end

core.register_task(function()
  while core.get_info().Stopping == 0 do
    core.msleep(1000)
  end
  core.msleep(grace)
  local servers = left()
  for _, server in ipairs(servers) do
    server:shut_sess()
    core.msleep(whole // #servers)
  end
end)
