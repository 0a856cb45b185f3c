-- Asks for random lines of the file that WRK_PATHS names; reports as report.lua does.
dofile(os.getenv("WRK_REPORT"))

local requests = {}
function init(args)
  math.randomseed(20261)
  for path in io.lines(os.getenv("WRK_PATHS")) do
    requests[#requests + 1] = wrk.format("GET", path)
  end
end

function request()
  return requests[math.random(#requests)]
end
