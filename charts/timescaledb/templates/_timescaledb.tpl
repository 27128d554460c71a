{{- define "timescaledb.pods" -}}{{ include "wattline-lib.fullname" . }}-pods{{- end -}}

{{/* PostgreSQL's settings, as a map; the same in both modes. */}}
{{- define "timescaledb.parameters" -}}
{{- $parameters := dict
  "shared_preload_libraries" "timescaledb"
  "timescaledb.telemetry_level" "off"
  "timezone" "UTC"
  "log_timezone" "UTC"
  "log_line_prefix" "%m [%p] %u@%d "
  "max_connections" "200"
  "max_locks_per_transaction" "256"
  "max_wal_size" "4GB"
  "shared_buffers" "256MB"
  "password_encryption" "scram-sha-256" -}}
{{- mergeOverwrite $parameters (deepCopy .Values.parameters) | toYaml -}}
{{- end -}}

{{/* For both modes; with Patroni in its local section, which an existing cluster takes too. */}}
{{- define "timescaledb.tlsParameters" -}}
{{- if (include "wattline-lib.global" . | fromYaml).tls.enabled -}}
ssl: "on"
ssl_cert_file: /etc/wattline/tls/tls.crt
ssl_key_file: /etc/wattline/tls/tls.key
{{- end -}}
{{- end -}}

{{- define "timescaledb.volumes" -}}
{{- if (include "wattline-lib.global" . | fromYaml).tls.enabled }}
{{ include "wattline-lib.certificateVolume" . }}
{{- end }}
- { name: tmp, emptyDir: { sizeLimit: 1Gi } }
- { name: run, emptyDir: { medium: Memory, sizeLimit: 16Mi } }
# PostgreSQL's parallel workers share memory here; a container's own is 64 MiB.
- { name: shm, emptyDir: { medium: Memory, sizeLimit: 256Mi } }
{{- end -}}

{{- define "timescaledb.mounts" -}}
{{- if (include "wattline-lib.global" . | fromYaml).tls.enabled }}
{{ include "wattline-lib.certificateMount" . }}
{{- end }}
- { name: data, mountPath: /home/postgres/pgdata }
- { name: tmp, mountPath: /tmp }
- { name: run, mountPath: /var/run/postgresql }
- { name: shm, mountPath: /dev/shm }
{{- end -}}
