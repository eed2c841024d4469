"""Argo CD's scripts in a real Lua, with as little around them as Argo CD gives them: base and table, and os.date."""

from pathlib import Path
from typing import Any

import lupa
from tests.support.cluster import ROOT
from tests.support.kstatus import Verdict

Json = dict[str, Any]

CUSTOMIZATIONS = ROOT / "manifests" / "argocd" / "resource_customizations" / "images.cycle.io"
HEALTH = CUSTOMIZATIONS / "_" / "health.lua"

WORD_OF = {
    Verdict.TERMINATING: "Progressing",
    Verdict.IN_PROGRESS: "Progressing",
    Verdict.FAILED: "Degraded",
    Verdict.CURRENT: "Healthy",
}
"""What Argo CD is to say where kstatus says something."""

_NO_TIME = "0001-01-01T00:00:00"
_SANDBOX = f"""
local modules = {{ os = {{ date = function() return "{_NO_TIME}" end }} }}
for name in pairs(_G) do
  if name == "string" or name == "io" or name == "os" or name == "debug" or name == "package" then _G[name] = nil end
end
getmetatable("").__index = nil
require = function(name) return modules[name] end
"""


def run_lua(script: Path, body: Json) -> Any:
    """Runs a script with ``obj`` and returns its answer as Python has it; an empty table is an empty dict."""
    lua = lupa.LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
    lua.execute(_SANDBOX)
    lua.globals().obj = lua.table_from(body, recursive=True)
    return _plain(lua.execute(script.read_text()))


def health(body: Json) -> Json:
    """What Argo CD says of a resource: ``status`` and ``message``."""
    return dict(run_lua(HEALTH, body))


def _plain(value: Any) -> Any:
    if lupa.lua_type(value) != "table":
        return value
    keys = list(value.keys())
    if keys and keys == list(range(1, len(keys) + 1)):
        return [_plain(each) for each in value.values()]
    return {key: _plain(each) for key, each in value.items()}
