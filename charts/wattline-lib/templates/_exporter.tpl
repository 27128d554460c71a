{{/* "true" where a chart's exporter runs. */}}
{{- define "wattline-lib.exported" -}}
{{- if and .Values.exporter.enabled (include "wattline-lib.global" . | fromYaml).monitoring.enabled }}true{{ end -}}
{{- end -}}

{{/* A container that turns a server's figures into metrics.
     (dict "root" . "port" 9187 "args" (list …) "env" YAML "mounts" YAML) */}}
{{- define "wattline-lib.exporter" -}}
{{- $exporter := .root.Values.exporter -}}
- name: exporter
  image: {{ include "wattline-lib.publicImage" (list .root $exporter.image) }}
  imagePullPolicy: {{ (include "wattline-lib.global" .root | fromYaml).image.pullPolicy }}
  {{- with .args }}
  args:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .env }}
  env:
    {{- . | nindent 4 }}
  {{- end }}
  ports:
    - { name: metrics, containerPort: {{ .port }} }
  startupProbe:
    tcpSocket: { port: metrics }
    periodSeconds: 2
    failureThreshold: 30
  readinessProbe:
    tcpSocket: { port: metrics }
    periodSeconds: 10
  livenessProbe:
    tcpSocket: { port: metrics }
    periodSeconds: 30
  securityContext:
    {{- include "wattline-lib.containerSecurity" . | nindent 4 }}
  resources:
    {{- toYaml $exporter.resources | nindent 4 }}
  {{- with .mounts }}
  volumeMounts:
    {{- . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* What Prometheus scrapes the exporter by. (dict "root" . "component" "x" "port" 9187) */}}
{{- define "wattline-lib.exporterService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "wattline-lib.fullname" .root }}-metrics
  labels:
    {{- include "wattline-lib.labels" (list .root .component) | nindent 4 }}
    wattline.io/metrics: "true"
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "wattline-lib.selectorLabels" (list .root .component) | nindent 4 }}
  ports:
    - { name: metrics, port: {{ .port }}, targetPort: metrics }
---
{{ include "wattline-lib.serviceMonitor" (dict "root" .root "component" .component "port" "metrics") }}
{{- end -}}
