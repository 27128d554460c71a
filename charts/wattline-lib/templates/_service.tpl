{{/* One of the four services, whole: configuration, account, workload, Service, disruption budget, autoscaler, monitor and
     network policy, from one dict:
       root        the chart's root
       kind        StatefulSet where replicas need names that stay, else Deployment
       config      what the chart sets; values.config is laid over it (its schema leaves out what is set here)
       adminPort   of /livez, /readyz and /metrics
       nameEnv     the variable that gets the pod's name: client id or instance id
       role        its database role; mqtt: its broker user; kafka: whether it uses Kafka
       files       more Secret volumes: (list (dict "name" "token" "secret" "…" "key" "token" "path" "/etc/…"))
       ports       more ports: (list (dict "name" "http" "port" 9400))
       ingress, egress   rules of the network policy */}}
{{- define "wattline-lib.service" -}}
{{- $global := include "wattline-lib.global" .root | fromYaml -}}
{{- $context := merge (dict "component" .root.Chart.Name "global" $global "values" .root.Values) . -}}
{{- include "wattline-lib.service.guards" $context -}}
{{- include "wattline-lib.service.configMap" $context }}
---
{{ include "wattline-lib.serviceAccount" $context }}
---
{{ include "wattline-lib.service.workload" $context }}
---
{{ include "wattline-lib.service.service" $context }}
{{- if or (gt (int .root.Values.replicas) 1) (include "wattline-lib.autoscaled" .root) }}
---
{{ include "wattline-lib.pdb" (merge (dict "stateless" true) $context) }}
{{- end }}
{{- include "wattline-lib.service.autoscaler" $context }}
{{- if $global.monitoring.enabled }}
---
{{ include "wattline-lib.serviceMonitor" (merge (dict "port" "admin") $context) }}
{{- end }}
{{- if $global.networkPolicy.enabled }}
---
{{ include "wattline-lib.networkPolicy" (merge (dict "metrics" "admin") $context) }}
{{- end }}
{{- end -}}

{{- define "wattline-lib.service.guards" -}}
{{- $scaling := .values.autoscaling | default dict -}}
{{- if and (dig "hpa" "enabled" false $scaling) (dig "keda" "enabled" false $scaling) -}}
{{- fail (printf "%s: autoscaling.hpa and autoscaling.keda are both enabled, and would fight over the number of replicas: enable one" .component) -}}
{{- end -}}
{{- end -}}

{{/* "true" where an autoscaler sets the number of replicas. */}}
{{- define "wattline-lib.autoscaled" -}}
{{- $scaling := .Values.autoscaling | default dict -}}
{{- if or (dig "hpa" "enabled" false $scaling) (dig "keda" "enabled" false $scaling) }}true{{ end -}}
{{- end -}}

{{- define "wattline-lib.service.toml" -}}
{{- $config := mergeOverwrite (deepCopy .config) (deepCopy .values.config) -}}
{{- $admin := dict "admin_listen" (printf "0.0.0.0:%d" (int .adminPort)) "log_format" "json" -}}
{{- $_ := set $config "service" (mergeOverwrite $admin (get $config "service" | default dict)) -}}
{{- include "wattline-lib.toml" $config | trim -}}
{{- end -}}

{{- define "wattline-lib.service.files" -}}
{{ .component }}.toml: |
  {{- include "wattline-lib.service.toml" . | nindent 2 }}
{{- end -}}

{{- define "wattline-lib.service.configMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "wattline-lib.fullname" .root }}
  labels:
    {{- include "wattline-lib.labels" (list .root .component) | nindent 4 }}
data:
  {{- include "wattline-lib.service.files" . | nindent 2 }}
{{- end -}}

{{- define "wattline-lib.service.workload" -}}
{{- $name := include "wattline-lib.fullname" .root -}}
apiVersion: apps/v1
kind: {{ .kind }}
metadata:
  name: {{ $name }}
  labels:
    {{- include "wattline-lib.labels" (list .root .component) | nindent 4 }}
spec:
  {{- if not (include "wattline-lib.autoscaled" .root) }}
  replicas: {{ .values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  {{- if eq .kind "StatefulSet" }}
  serviceName: {{ $name }}
  podManagementPolicy: Parallel
  {{- else }}
  strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }
  {{- end }}
  selector:
    matchLabels:
      {{- include "wattline-lib.selectorLabels" (list .root .component) | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "wattline-lib.labels" (list .root .component) | nindent 8 }}
      annotations:
        checksum/config: {{ include "wattline-lib.checksum" (include "wattline-lib.service.files" . | fromYaml) }}
    spec:
      {{- include "wattline-lib.podBase" (merge (dict "perRevision" (eq .kind "Deployment")) .) | nindent 6 }}
      # Above service.stop_deadline_ms: a stop lets Kafka confirm what was taken.
      terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
      containers:
        {{- include "wattline-lib.service.container" . | nindent 8 }}
      volumes:
        - { name: config, configMap: { name: {{ $name }} } }
        - { name: tmp, emptyDir: { sizeLimit: 64Mi } }
        {{- include "wattline-lib.secretVolumes" (dict "root" .root "kafka" .kafka "mqtt" .mqtt "roles" (compact (list .role))) | nindent 8 }}
        {{- range .files }}
        - { name: {{ .name }}, secret: { secretName: {{ .secret }}, items: [{ key: {{ .key }}, path: {{ .key }} }] } }
        {{- end }}
{{- end -}}

{{- define "wattline-lib.service.container" -}}
- name: {{ .component }}
  image: {{ include "wattline-lib.image" (list .root .values.image) }}
  imagePullPolicy: {{ .global.image.pullPolicy }}
  args: [--config, /etc/wattline/config/{{ .component }}.toml]
  {{- if .nameEnv }}
  env:
    - name: {{ .nameEnv }}
      valueFrom: { fieldRef: { fieldPath: metadata.name } }
  {{- end }}
  ports:
    - { name: admin, containerPort: {{ .adminPort }} }
    {{- range .ports }}
    - { name: {{ .name }}, containerPort: {{ .port }} }
    {{- end }}
  # Live depends on nothing else; what is missing for ready is said by /readyz.
  startupProbe:
    httpGet: { path: /livez, port: admin }
    periodSeconds: 2
    failureThreshold: 30
  livenessProbe:
    httpGet: { path: /livez, port: admin }
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  readinessProbe:
    httpGet: { path: /readyz, port: admin }
    periodSeconds: 5
    timeoutSeconds: 3
  securityContext:
    {{- include "wattline-lib.containerSecurity" . | nindent 4 }}
  resources:
    {{- toYaml .values.resources | nindent 4 }}
  volumeMounts:
    - { name: config, mountPath: /etc/wattline/config, readOnly: true }
    - { name: tmp, mountPath: /tmp }
    {{- include "wattline-lib.secretMounts" (dict "root" .root "kafka" .kafka "mqtt" .mqtt "roles" (compact (list .role))) | nindent 4 }}
    {{- range .files }}
    - { name: {{ .name }}, mountPath: {{ .path }}, readOnly: true }
    {{- end }}
{{- end -}}

{{- define "wattline-lib.service.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "wattline-lib.fullname" .root }}
  labels:
    {{- include "wattline-lib.labels" (list .root .component) | nindent 4 }}
    wattline.io/metrics: "true"
spec:
  {{- if eq .kind "StatefulSet" }}
  clusterIP: None
  {{- end }}
  selector:
    {{- include "wattline-lib.selectorLabels" (list .root .component) | nindent 4 }}
  ports:
    - { name: admin, port: {{ .adminPort }}, targetPort: admin }
    {{- range .ports }}
    - { name: {{ .name }}, port: {{ .port }}, targetPort: {{ .name }} }
    {{- end }}
{{- end -}}
