{{/* A component's NetworkPolicy. "ingress" and "egress" are lists of rules; DNS and scraping are added.
     (dict "root" . "component" "x" "metrics" "admin" "ingress" (list …) "egress" (list …)) */}}
{{- define "wattline-lib.networkPolicy" -}}
{{- $policy := (include "wattline-lib.global" .root | fromYaml).networkPolicy -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name | default (include "wattline-lib.fullname" .root) }}
  labels:
    {{- include "wattline-lib.labels" (list .root .component) | nindent 4 }}
  {{- with .annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  podSelector:
    matchLabels:
      {{- include "wattline-lib.selectorLabels" (list .root .component) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- if or .ingress .metrics }}
  ingress:
    {{- range .ingress }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- if .metrics }}
    - from:
        - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ $policy.monitoringNamespace }} } }
      ports: [{ port: {{ .metrics }}, protocol: TCP }]
    {{- end }}
  {{- end }}
  egress:
    - to:
        - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: kube-system } }
      ports: [{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]
    {{- range .egress }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* May be reached by components of this release. (dict "root" . "from" (list "a" "b") "ports" (list "client")) */}}
{{- define "wattline-lib.from" -}}
- from:
    {{- range .from }}
    - podSelector:
        matchLabels:
          {{- include "wattline-lib.selectorLabels" (list $.root .) | nindent 10 }}
    {{- end }}
  ports:
    {{- range .ports }}
    - { port: {{ . }}, protocol: TCP }
    {{- end }}
{{- end -}}

{{/* May reach a component of this release, or, when that is run by somebody else, its port anywhere.
     (dict "root" . "to" "kafka" "external" $brokers "ports" (list 9092)) */}}
{{- define "wattline-lib.to" -}}
{{- if .external -}}
- ports:
{{- else -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "wattline-lib.selectorLabels" (list .root .to) | nindent 10 }}
  ports:
{{- end }}
    {{- range .ports }}
    - { port: {{ . }}, protocol: TCP }
    {{- end }}
{{- end -}}

{{- define "wattline-lib.to.kafka" -}}
{{- $brokers := (include "wattline-lib.global" . | fromYaml).kafka.brokers -}}
{{- $port := $brokers | splitList "," | first | splitList ":" | last | default "9092" -}}
{{- include "wattline-lib.to" (dict "root" . "to" "kafka" "external" $brokers "ports" (list $port)) -}}
{{- end -}}

{{- define "wattline-lib.to.database" -}}
{{- $database := (include "wattline-lib.global" . | fromYaml).database -}}
{{- include "wattline-lib.to" (dict "root" . "to" "timescaledb" "external" $database.host "ports" (list (int $database.port))) -}}
{{- end -}}

{{- define "wattline-lib.to.mqtt" -}}
{{- $url := (include "wattline-lib.global" . | fromYaml).mqtt.url -}}
{{- $port := regexFind "[0-9]+$" (include "wattline-lib.mqtt.url" .) | default "1883" -}}
{{- include "wattline-lib.to" (dict "root" . "to" "mqtt" "external" $url "ports" (list $port)) -}}
{{- end -}}
