{{/* A bundled server's certificate by the release's authority, for its Service, its pods and further names. The key is in
     PKCS#8, and once more in one file with the certificates: Kafka reads no other form.
     (dict "root" . "component" "kafka" "hosts" (list …)) */}}
{{- define "wattline-lib.certificate" -}}
{{- $name := include "wattline-lib.fullname" .root -}}
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: {{ $name }}
  labels:
    {{- include "wattline-lib.labels" (list .root .component) | nindent 4 }}
spec:
  secretName: {{ $name }}-tls
  # Servers read it when they start: a year leaves four months for the next upgrade or restart.
  duration: 8760h
  renewBefore: 2880h
  privateKey: { algorithm: ECDSA, size: 256, encoding: PKCS8, rotationPolicy: Always }
  additionalOutputFormats: [{ type: CombinedPEM }]
  usages: [digital signature, key encipherment, server auth]
  dnsNames:
    {{- $pods := include "wattline-lib.inCluster" (list .root (printf "*.%s-pods" $name)) }}
    {{- $own := list $name (printf "%s.%s.svc" $name .root.Release.Namespace) (include "wattline-lib.inCluster" (list .root $name)) $pods }}
    {{- toYaml (concat (.hosts | default list) $own) | nindent 4 }}
  issuerRef: { group: cert-manager.io, kind: Issuer, name: {{ include "wattline-lib.authority" .root }} }
{{- end -}}

{{/* Its files in a pod: ca.crt, tls.crt, tls.key, tls-combined.pem. PostgreSQL takes a key of root's that its group reads. */}}
{{- define "wattline-lib.certificateVolume" -}}
- { name: tls, secret: { secretName: {{ include "wattline-lib.fullname" . }}-tls, defaultMode: 0440 } }
{{- end -}}

{{- define "wattline-lib.certificateMount" -}}
- { name: tls, mountPath: /etc/wattline/tls, readOnly: true }
{{- end -}}
