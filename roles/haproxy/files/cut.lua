-- Ends the connections to each member of some backends that is out. The environment has ``CUT``: ``SECONDS BACKEND…``.
--
-- The option for it (on-marked-down shutdown-sessions) does so at once. A client whose connection to the member is still being made is then
-- told nothing, and no timeout ends its wait (HAProxy 3.0.11). So connections are cut once those attempts are over: SECONDS, which are
-- those of timeout connect, after the member went out.

-- In the environment, as HAProxy 2.6 hands no arguments to what it loads.
local seconds, backends = os.getenv("CUT"):match("^(%S+) (.*)$")
-- A fraction longer, as HAProxy looks at its timeouts now and then.
local patience = tonumber(seconds) + 0.2
-- By member that is out: when its connections are cut; never again once they have been.
local due = {}

local function look(member, server, now)
  local its = server:get_stats()
  if not its.status:find("^DOWN") then
    due[member] = nil
    return
  end
  due[member] = due[member] or now + patience
  if now > due[member] then
    due[member] = math.huge
    server:shut_sess()
    core.log(core.notice, ("%s is out: connections cut: %d"):format(member, its.scur))
  end
end

core.register_task(function()
  while true do
    -- What HAProxy knows of a member is a hundred strings: more often costs more than some of its checks.
    core.msleep(250)
    local now = core.now()
    for backend in backends:gmatch("%S+") do
      for name, server in pairs(core.backends[backend].servers) do
        look(backend .. "/" .. name, server, now.sec + now.usec / 1e6)
      end
    end
  end
end)
