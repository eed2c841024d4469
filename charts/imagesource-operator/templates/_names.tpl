{{- define "imagesource-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "imagesource-operator.fullname" -}}
{{- $name := include "imagesource-operator.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* Names of cluster-scoped objects: two releases of one name may live in two namespaces. */}}
{{- define "imagesource-operator.clustername" -}}
{{- if eq .Release.Namespace (include "imagesource-operator.fullname" .) }}
{{- include "imagesource-operator.fullname" . }}
{{- else }}
{{- printf "%s-%s" .Release.Namespace (include "imagesource-operator.fullname" .) }}
{{- end }}
{{- end }}

{{- define "imagesource-operator.serviceaccount" -}}
{{- .Values.serviceAccount.name | default (include "imagesource-operator.fullname" .) }}
{{- end }}

{{- define "imagesource-operator.selector" -}}
app.kubernetes.io/name: {{ include "imagesource-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "imagesource-operator.labels" -}}
{{- include "imagesource-operator.labels-and" (list . dict) }}
{{- end }}

{{- /* The labels of all objects, and further ones, which count more than commonLabels: a key comes once. */}}
{{- define "imagesource-operator.labels-and" -}}
{{- $ := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
{{ include "imagesource-operator.selector" $ }}
{{- with mergeOverwrite (dict) $.Values.commonLabels (index . 1) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "imagesource-operator.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}
