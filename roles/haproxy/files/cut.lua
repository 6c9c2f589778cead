-- Ends the connections to each member of some backends that is out. The environment has ``CUT``: ``CONNECT BACKEND…``.
--
-- The option for it (on-marked-down shutdown-sessions) does so at once. A client whose connection to the member is still being made is then
-- told nothing, and no timeout ends its wait (HAProxy 3.0.11). So connections are cut once those attempts are over: CONNECT, which is the
-- value of timeout connect, after the member went out.

-- In the environment, as HAProxy 2.6 hands no arguments to what it loads.
local number, unit, backends = os.getenv("CUT"):match("^(%d+)(%a*) (.*)$")
-- Seconds; a fraction longer, as HAProxy looks at its timeouts now and then.
local patience = number * ({ us = 1e-6, ms = 1e-3, [""] = 1e-3, s = 1, m = 60, h = 3600, d = 86400 })[unit] + 0.2
-- By member: since when it is out, and whether its connections have been cut.
local since, cut = {}, {}

local function look(member, server, now)
  local its = server:get_stats()
  if not its.status:find("^DOWN") then
    since[member], cut[member] = nil, nil
  elseif not since[member] then
    since[member] = now
  elseif not cut[member] and now - since[member] > patience then
    cut[member] = true
    server:shut_sess()
    core.log(core.notice, ("%s is out: connections cut: %d"):format(member, its.scur))
  end
end

core.register_task(function()
  while true do
    core.msleep(100)
    local now = core.now()
    for backend in backends:gmatch("%S+") do
      for name, server in pairs(core.backends[backend].servers) do
        look(backend .. "/" .. name, server, now.sec + now.usec / 1e6)
      end
    end
  end
end)
