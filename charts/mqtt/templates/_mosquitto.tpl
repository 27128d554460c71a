{{/* What the container reads. */}}
{{- define "mqtt.mosquitto.files" -}}
mosquitto.conf: |
  listener 1883
  {{- if include "mqtt.tlsSecret" . }}
  listener 8883
  certfile /etc/wattline/tls/tls.crt
  keyfile /etc/wattline/tls/tls.key
  {{- end }}
  allow_anonymous false
  password_file /run/mosquitto/passwd
  acl_file /run/mosquitto/acl
  persistence true
  persistence_location /mosquitto/data/
  autosave_interval {{ .Values.mosquitto.autosaveSeconds }}
  max_queued_messages {{ int64 .Values.mosquitto.queuedMessagesMax }}
  max_inflight_messages 10000
  max_packet_size 3145728
  persistent_client_expiration 30d
  sys_interval 10
  log_dest stdout
  log_type error
  log_type warning
  log_type notice
  log_timestamp_format %Y-%m-%dT%H:%M:%S
acl: |
  user ingest
  {{- range .Values.topics }}
  topic read {{ . }}
  {{- end }}
  topic readwrite wattline-canary/#

  user meters
  {{- range .Values.topics }}
  topic write {{ . }}
  {{- end }}
  topic deny wattline-canary/#

  user observer
  {{- range .Values.topics }}
  topic read {{ . }}
  {{- end }}
  topic read $SYS/#
{{- end -}}
