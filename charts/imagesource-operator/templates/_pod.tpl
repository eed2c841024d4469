{{- /* What every Pod of this chart has in common, to satisfy the Pod Security Standard "restricted". */}}
{{- define "imagesource-operator.pod" -}}
serviceAccountName: {{ include "imagesource-operator.serviceaccount" . }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  seccompProfile:
    type: RuntimeDefault
  {{- range $name, $id := .Values.securityContext }}
  {{- if not (kindIs "invalid" $id) }}
  {{ $name }}: {{ int64 $id }}
  {{- end }}
  {{- end }}
{{- end }}

{{- define "imagesource-operator.container" -}}
image: {{ include "imagesource-operator.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources:
  {{- toYaml .Values.resources | nindent 2 }}
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  - name: POD_NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  {{- with .Values.hub.embedded.postgresql }}
  - name: IMAGESOURCES_EMBEDDED_DATABASE
    valueFrom:
      secretKeyRef:
        {{- toYaml .urlSecret | nindent 8 }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "imagesource-operator.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Flags for the platforms that Hubs may name. */}}
{{- define "imagesource-operator.hosts" -}}
{{- with .Values.hub.platform.url }}
- --allow-host={{ trimPrefix "https://" . | trimSuffix "/" }}
{{- end }}
{{- range .Values.allowHosts }}
- --allow-host={{ . }}
{{- end }}
{{- end }}
