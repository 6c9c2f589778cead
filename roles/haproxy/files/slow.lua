-- A member that was merely slow is back with its second good check. The environment has ``SETTLE``: ``BACKEND…``.
--
-- Whoever comes back in these backends has to pass many checks in a row, as one that has just started does not know everything yet. One whose
-- checks were late has forgotten nothing: on a busy host, where checks are late now and then, it would stay out for good, and in the end all
-- would.

local backends = os.getenv("SETTLE")
-- By member: whether nothing has taken connections there since it went out.
local away = {}

local function look(member, server)
  local its = server:get_stats()
  -- Who goes by another one's check has none.
  local check = its.check_status or ""
  local passed = tonumber(its.status:match("^DOWN (%d+)/"))
  if its.status:find("^UP") then
    away[member] = nil
  elseif check:find("L4") then
    away[member] = true
  elseif passed and passed > 1 and not away[member] then
    server:check_force_up()
    core.log(core.notice, ("%s was slow, and is back"):format(member))
  end
end

core.register_task(function()
  while true do
    -- More often than a member is checked.
    core.msleep(200)
    for backend in backends:gmatch("%S+") do
      for name, server in pairs(core.backends[backend].servers) do
        look(backend .. "/" .. name, server)
      end
    end
  end
end)
