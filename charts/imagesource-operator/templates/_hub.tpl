{{- /* "true" where the operator has a default hub to create. */}}
{{- define "imagesource-operator.has-hub" -}}
{{- if or .Values.hub.platform .Values.hub.embedded }}true{{ end }}
{{- end }}

{{- /* The default hub: a ClusterHub, or in namespaced mode a Hub of the release's namespace. */}}
{{- define "imagesource-operator.hub" -}}
{{- $allowed := .Values.hub.allowedNamespaces -}}
spec:
  {{- with .Values.hub.platform }}
  platform:
    {{- with .url }}
    url: {{ . }}
    {{- end }}
    hubId: {{ .hubId | quote }}
    apiKeyFrom:
      secretKeyRef:
        {{- toYaml .apiKeySecret | nindent 8 }}
  {{- else }}
  embedded: {}
  {{- end }}
  {{- if not .Values.namespaces }}
  {{- if not (or $allowed.names $allowed.matchLabels) }}
  {{- fail "hub.allowedNamespaces: nobody could use the default ClusterHub; give names, such as [team-a] or [\"*\"], or matchLabels" }}
  {{- end }}
  allowedNamespaces:
    {{- with $allowed.names }}
    names:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with $allowed.matchLabels }}
    selector:
      matchLabels:
        {{- toYaml . | nindent 8 }}
    {{- end }}
  {{- else if not (has .Release.Namespace .Values.namespaces) }}
  {{- fail (printf "namespaces: the default Hub is made in namespace %s, which is not among them; add it, or leave hub.platform and hub.embedded empty" .Release.Namespace) }}
  {{- end }}
{{- end }}

{{- /* Its file, for the operator and the doctor. */}}
{{- define "imagesource-operator.hub-flag" -}}
{{- if include "imagesource-operator.has-hub" . }}
- --default-hub=/etc/imagesource-operator/default-hub.yaml
{{- end }}
{{- end }}

{{- define "imagesource-operator.hub-mount" -}}
{{- if include "imagesource-operator.has-hub" . }}
- name: default-hub
  mountPath: /etc/imagesource-operator
  readOnly: true
{{- end }}
{{- end }}

{{- define "imagesource-operator.hub-volume" -}}
{{- if include "imagesource-operator.has-hub" . }}
- name: default-hub
  configMap:
    name: {{ include "imagesource-operator.fullname" . }}
{{- end }}
{{- end }}
