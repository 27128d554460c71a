{{/* The TLS Secret of the listener, or nothing. */}}
{{- define "mqtt.tlsSecret" -}}
{{- if and .Values.tls.certManager.enabled .Values.tls.existingSecret -}}
{{- fail "mqtt: tls.certManager.enabled and tls.existingSecret are both set: the certificate comes from one of them" -}}
{{- end -}}
{{- if and (include "mqtt.ownTls" .) (or .Values.tls.certManager.enabled .Values.tls.existingSecret) -}}
{{- fail "mqtt: tls and global.tls.enabled are both set: the listener has one certificate, and mqtt-ingest knows the release's authority only. Leave mqtt.tls to its hosts, or set global.mqtt.url to a name that your certificate has" -}}
{{- end -}}
{{- if or .Values.tls.certManager.enabled (include "mqtt.ownTls" .) }}{{ include "wattline-lib.fullname" . }}-tls{{ else }}{{ .Values.tls.existingSecret }}{{ end -}}
{{- end -}}

{{/* "true" where the certificate is the release's authority's. Then nobody comes without TLS. */}}
{{- define "mqtt.ownTls" -}}
{{- $global := include "wattline-lib.global" . | fromYaml -}}
{{- if and $global.tls.enabled (not $global.mqtt.url) }}true{{ end -}}
{{- end -}}

{{/* What is the same for all brokers that this chart runs itself: a Service and its network policy. */}}
{{- define "mqtt.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "wattline-lib.fullname" . }}
  labels:
    {{- include "wattline-lib.labels" (list . "mqtt") | nindent 4 }}
  {{- with .Values.service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ .Values.service.type }}
  # Who comes by a node with a broker's pod is led to that one, which is there as long as the node is. By the others half of all
  # connections go to a pod that is gone with its node, until that node is known to be.
  trafficDistribution: PreferSameNode
  selector:
    {{- include "wattline-lib.selectorLabels" (list . "mqtt") | nindent 4 }}
  ports:
    {{- if not (include "mqtt.ownTls" .) }}
    - { name: mqtt, port: 1883, targetPort: mqtt }
    {{- end }}
    {{- if include "mqtt.tlsSecret" . }}
    - { name: mqtts, port: 8883, targetPort: mqtts{{ with .Values.service.nodePort }}, nodePort: {{ . }}{{ end }} }
    {{- end }}
{{- end -}}

{{- define "mqtt.headless" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "wattline-lib.fullname" . }}-pods
  labels:
    {{- include "wattline-lib.labels" (list . "mqtt") | nindent 4 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "wattline-lib.selectorLabels" (list . "mqtt") | nindent 4 }}
  ports:
    - { name: mqtt, port: 1883, targetPort: mqtt }
{{- end -}}

{{/* (dict "root" . "peers" (list 61616)) */}}
{{- define "mqtt.networkPolicy" -}}
{{- $meters := "- ports: [{ port: mqtt, protocol: TCP }]" -}}
{{- if include "mqtt.tlsSecret" .root -}}
{{- $clients := include "wattline-lib.from" (dict "root" .root "from" (list "mqtt-ingest" "smoke") "ports" (list "mqtt")) -}}
{{- $meters = "- ports: [{ port: mqtts, protocol: TCP }]" -}}
{{- if not (include "mqtt.ownTls" .root) }}{{ $meters = printf "%s\n%s" $meters $clients }}{{ end -}}
{{- end -}}
{{- $ingress := list $meters -}}{{- $egress := list -}}
{{- if .peers -}}
{{- $ingress = append $ingress (include "wattline-lib.from" (dict "root" .root "from" (list "mqtt") "ports" .peers)) -}}
{{- $egress = append $egress (include "wattline-lib.to" (dict "root" .root "to" "mqtt" "ports" .peers)) -}}
{{- end -}}
{{- include "wattline-lib.networkPolicy" (dict "root" .root "component" "mqtt" "metrics" .metrics "ingress" $ingress "egress" $egress) -}}
{{- end -}}
