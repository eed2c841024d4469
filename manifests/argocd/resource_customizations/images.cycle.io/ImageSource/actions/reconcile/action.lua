local os = require("os")
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["images.cycle.io/requestedAt"] = "By Argo CD at: " .. os.date("!%Y-%m-%dT%X")
return obj
