{{- /* What the operator does in a namespace that it serves; tests compare it with the audit log of a run. */}}
{{- define "imagesource-operator.rules" -}}
- apiGroups: [images.cycle.io]
  resources: [imagesources]
  verbs: [get, list, watch, patch]
- apiGroups: [images.cycle.io]
  resources: [hubs]
  verbs: [list, watch, patch]
- apiGroups: [images.cycle.io]
  resources: [imagesources/status, hubs/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{- define "imagesource-operator.cluster-rules" -}}
- apiGroups: [images.cycle.io]
  resources: [clusterhubs]
  verbs: [list, watch, patch{{ if include "imagesource-operator.has-hub" . }}, create{{ end }}]
- apiGroups: [images.cycle.io]
  resources: [clusterhubs/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- end }}

{{- /* The Lease that all shards share, named as in settings.py. */}}
{{- define "imagesource-operator.hubs-lease" -}}
imagesource-operator-hubs{{ with .Values.namespaces }}-{{ sortAlpha . | join "," | sha256sum | trunc 8 }}{{ end }}
{{- end }}

{{- /* A Lease can be named for everything but its creation. */}}
{{- define "imagesource-operator.home-rules" -}}
{{- if not .Values.hub.embedded.persistence }}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "imagesource-operator.fullname" . }}
    {{- if .Values.shardSelector }}, {{ include "imagesource-operator.hubs-lease" . }}{{ end }}]
  verbs: [get, update]
{{- end }}
{{- if and .Values.namespaces (include "imagesource-operator.has-hub" .) }}
- apiGroups: [images.cycle.io]
  resources: [hubs]
  verbs: [create]
{{- end }}
{{- end }}
