{{/* The autoscaler of a service, if any: by CPU (HPA), or by the lag of its consumer group (KEDA). */}}
{{- define "wattline-lib.service.autoscaler" -}}
{{- $scaling := .values.autoscaling | default dict -}}
{{- if dig "hpa" "enabled" false $scaling }}
---
{{ include "wattline-lib.service.hpa" . }}
{{- else if dig "keda" "enabled" false $scaling }}
---
{{ include "wattline-lib.service.scaledObject" . }}
{{- end }}
{{- end -}}

{{- define "wattline-lib.service.hpa" -}}
{{- $hpa := .values.autoscaling.hpa -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "wattline-lib.fullname" .root }}
  labels:
    {{- include "wattline-lib.labels" (list .root .component) | nindent 4 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: {{ .kind }}, name: {{ include "wattline-lib.fullname" .root }} }
  minReplicas: {{ $hpa.minReplicas }}
  maxReplicas: {{ $hpa.maxReplicas }}
  metrics:
    - type: Resource
      resource: { name: cpu, target: { type: Utilization, averageUtilization: {{ $hpa.cpuPercent }} } }
  behavior:
    scaleDown: { stabilizationWindowSeconds: {{ $hpa.stabilizationSeconds }} }
{{- end -}}

{{/* The group's offsets are committed after the database's, so their lag is the truth a moment late. Metadata values
     are strings, the schema refuses numbers. */}}
{{- define "wattline-lib.service.scaledObject" -}}
{{- $keda := .values.autoscaling.keda -}}{{- $kafka := .global.kafka -}}
{{- $name := include "wattline-lib.fullname" .root -}}
{{- $input := dig "input" dict .values.config -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ $name }}
  labels:
    {{- include "wattline-lib.labels" (list .root .component) | nindent 4 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: {{ .kind }}, name: {{ $name }} }
  minReplicaCount: {{ $keda.minReplicas }}
  maxReplicaCount: {{ $keda.maxReplicas }}
  advanced:
    horizontalPodAutoscalerConfig:
      name: {{ $name }}
      behavior: { scaleDown: { stabilizationWindowSeconds: {{ $keda.stabilizationSeconds }} } }
  triggers:
    - type: kafka
      metadata:
        bootstrapServers: {{ include "wattline-lib.kafka.brokers" .root | quote }}
        consumerGroup: {{ get $input "group" | default .group | quote }}
        topic: {{ get $input "readings_topic" | default "wattline.readings.v1" | quote }}
        lagThreshold: {{ $keda.lagRecords | toString | quote }}
        offsetResetPolicy: earliest
        {{- if hasPrefix "sasl" $kafka.security }}
        sasl: {{ $kafka.saslMechanism | lower | replace "scram-sha-" "scram_sha" | replace "plain" "plaintext" | quote }}
        {{- end }}
        {{- if hasSuffix "tls" $kafka.security }}
        tls: enable
        {{- end }}
      {{- if ne $kafka.security "plaintext" }}
      authenticationRef: { name: {{ $name }} }
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  name: {{ $name }}
  labels:
    {{- include "wattline-lib.labels" (list .root .component) | nindent 4 }}
spec:
  secretTargetRef:
    {{- if hasPrefix "sasl" $kafka.security }}
    - { parameter: username, name: {{ $kafka.existingSecret }}, key: username }
    - { parameter: password, name: {{ $kafka.existingSecret }}, key: password }
    {{- end }}
    {{- with $kafka.caSecret }}
    - { parameter: ca, name: {{ . }}, key: ca.crt }
    {{- end }}
      {{- end }}
{{- end -}}
