-- The questions of kstatus, in its order: Healthy exactly where kstatus says Current.
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function is(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

local function says(kind, otherwise)
  local condition = conditions[kind]
  return condition and (condition.reason .. ": " .. (condition.message or "")) or otherwise
end

if obj.metadata.deletionTimestamp ~= nil then
  local message = says("Ready", "Deleting")
  for _, task in ipairs(status.job and status.job.tasks or {}) do
    message = message .. "; " .. task.caption .. " (" .. task.state .. ")"
  end
  return { status = "Progressing", message = message }
end
if status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for the operator to look at generation " .. obj.metadata.generation }
end
if is("Reconciling") then
  return { status = "Progressing", message = says("Ready", says("Reconciling")) }
end
if is("Stalled") then
  return { status = "Degraded", message = says("Stalled") }
end
if conditions.Ready == nil or is("Ready") then
  return { status = "Healthy", message = says("Ready", "") }
end
return { status = "Progressing", message = says("Ready") }
