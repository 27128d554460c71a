{{/* The ingress or gateway controller's pods. */}}
{{- define "query-api.fromIngress" -}}
{{- $policy := (include "wattline-lib.global" . | fromYaml).networkPolicy -}}
- from:
    - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ $policy.ingressNamespace }} } }
  ports: [{ port: http, protocol: TCP }]
{{- end -}}
