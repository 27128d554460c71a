{{/* A StatefulSet's volume claim. Its labels can't change later, so the chart's version is not among them.
     (dict "root" . "component" "x" "storage" .Values.storage) */}}
{{- define "wattline-lib.claim" -}}
{{- $global := include "wattline-lib.global" .root | fromYaml -}}
metadata:
  name: data
  labels:
    {{- include "wattline-lib.selectorLabels" (list .root .component) | nindent 4 }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with .storage.className | default $global.storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources: { requests: { storage: {{ .storage.size }} } }
{{- end -}}
