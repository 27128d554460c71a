{{/* Of a workload's files, so that it starts anew with others: a map of names and texts. */}}
{{- define "wattline-lib.checksum" -}}
{{- $parts := list -}}
{{- range $file, $text := . }}{{ $parts = append $parts (printf "%s\n%s" $file (trim $text)) }}{{ end -}}
{{- join "\n" $parts | sha256sum -}}
{{- end -}}

{{/* A service's configuration as TOML: plain keys, then tables, then arrays of tables. Numbers go by JSON, since YAML's
     arrive as floating point and would be written as 1e+06. */}}
{{- define "wattline-lib.toml" -}}
{{- range $key, $value := . -}}
{{- if not (or (kindIs "map" $value) (eq (include "wattline-lib.toml.isTables" $value) "true")) }}
{{ $key }} = {{ include "wattline-lib.toml.value" $value }}
{{- end -}}
{{- end -}}
{{- range $key, $value := . -}}
{{- if kindIs "map" $value }}

[{{ $key }}]
{{- range $inner, $innerValue := $value }}
{{ $inner }} = {{ include "wattline-lib.toml.value" $innerValue }}
{{- end -}}
{{- else if eq (include "wattline-lib.toml.isTables" $value) "true" -}}
{{- range $table := $value }}

[[{{ $key }}]]
{{- range $inner, $innerValue := $table }}
{{ $inner }} = {{ include "wattline-lib.toml.value" $innerValue }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
{{ end -}}

{{- define "wattline-lib.toml.isTables" -}}
{{- if and (kindIs "slice" .) (gt (len .) 0) (kindIs "map" (first .)) -}}true{{- end -}}
{{- end -}}

{{- define "wattline-lib.toml.value" -}}
{{- if kindIs "map" . -}}
{ {{- range $index, $key := keys . | sortAlpha }}{{ if $index }},{{ end }} {{ $key }} = {{ include "wattline-lib.toml.value" (get $ $key) }}{{ end }} }
{{- else if kindIs "slice" . -}}
[{{- range $index, $item := . }}{{ if $index }}, {{ end }}{{ include "wattline-lib.toml.value" $item }}{{ end }}]
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end -}}

{{/* Section [kafka] of a service. */}}
{{- define "wattline-lib.config.kafka" -}}
{{- $kafka := (include "wattline-lib.global" . | fromYaml).kafka -}}
brokers: {{ include "wattline-lib.kafka.brokers" . | quote }}
security: {{ $kafka.security }}
{{- if hasPrefix "sasl" $kafka.security }}
sasl_mechanism: {{ $kafka.saslMechanism }}
username: {{ required "global.kafka.username is missing: global.kafka.security is SASL" $kafka.username }}
password_file: /etc/wattline/secrets/kafka/password
{{- end }}
{{- if and (hasSuffix "tls" $kafka.security) $kafka.caSecret }}
ca_file: /etc/wattline/ca/kafka/ca.crt
{{- end }}
{{- end -}}

{{/* Section [database] of a service. (list . "wattline_sink") */}}
{{- define "wattline-lib.config.database" -}}
{{- $database := (include "wattline-lib.global" (index . 0) | fromYaml).database -}}
url: {{ include "wattline-lib.database.url" . | quote }}
{{- if include "wattline-lib.database.members" (index . 0) }}
# One that is gone with its node answers nothing: the next host is tried after one SYN has been repeated.
connect_timeout_ms: 2000
{{- end }}
password_file: /etc/wattline/secrets/database/{{ index . 1 }}
{{- if $database.caSecret }}
tls_root_file: /etc/wattline/ca/database/ca.crt
{{- end }}
{{- end -}}

{{/* Section [mqtt] of mqtt-ingest. */}}
{{- define "wattline-lib.config.mqtt" -}}
{{- $mqtt := (include "wattline-lib.global" . | fromYaml).mqtt -}}
url: {{ include "wattline-lib.mqtt.url" . | quote }}
username: {{ $mqtt.username | quote }}
password_file: /etc/wattline/secrets/mqtt/{{ $mqtt.username }}
{{- if $mqtt.caSecret }}
ca_file: /etc/wattline/ca/mqtt/ca.crt
{{- end }}
{{- end -}}

{{/* Volumes with a service's secrets and authorities; a Secret's single keys, so that each sees only its own.
     (dict "root" . "kafka" true "role" "wattline_sink" "mqtt" "ingest") */}}
{{- define "wattline-lib.secretVolumes" -}}
{{- $root := .root -}}{{- $global := include "wattline-lib.global" $root | fromYaml -}}
{{- if and .kafka (hasPrefix "sasl" $global.kafka.security) }}
- name: kafka-secret
  secret:
    secretName: {{ required "global.kafka.existingSecret is missing: global.kafka.security is SASL" $global.kafka.existingSecret }}
    items: [{ key: password, path: password }]
{{- end }}
{{- if and .kafka $global.kafka.caSecret }}
- name: kafka-ca
  secret: { secretName: {{ $global.kafka.caSecret }}, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}
{{- if .roles }}
- name: database-secret
  secret:
    secretName: {{ include "wattline-lib.database.secret" $root }}
    items:
      {{- range .roles }}
      - { key: {{ . }}, path: {{ . }} }
      {{- end }}
{{- if $global.database.caSecret }}
- name: database-ca
  secret: { secretName: {{ $global.database.caSecret }}, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}
{{- end }}
{{- if .mqtt }}
- name: mqtt-secret
  secret:
    secretName: {{ include "wattline-lib.mqtt.secret" $root }}
    items: [{ key: {{ .mqtt }}, path: {{ .mqtt }} }]
{{- if $global.mqtt.caSecret }}
- name: mqtt-ca
  secret: { secretName: {{ $global.mqtt.caSecret }}, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}
{{- end }}
{{- end -}}

{{/* Where those volumes are mounted. */}}
{{- define "wattline-lib.secretMounts" -}}
{{- $global := include "wattline-lib.global" .root | fromYaml -}}
{{- if and .kafka (hasPrefix "sasl" $global.kafka.security) }}
- { name: kafka-secret, mountPath: /etc/wattline/secrets/kafka, readOnly: true }
{{- end }}
{{- if and .kafka $global.kafka.caSecret }}
- { name: kafka-ca, mountPath: /etc/wattline/ca/kafka, readOnly: true }
{{- end }}
{{- if .roles }}
- { name: database-secret, mountPath: /etc/wattline/secrets/database, readOnly: true }
{{- if $global.database.caSecret }}
- { name: database-ca, mountPath: /etc/wattline/ca/database, readOnly: true }
{{- end }}
{{- end }}
{{- if .mqtt }}
- { name: mqtt-secret, mountPath: /etc/wattline/secrets/mqtt, readOnly: true }
{{- if $global.mqtt.caSecret }}
- { name: mqtt-ca, mountPath: /etc/wattline/ca/mqtt, readOnly: true }
{{- end }}
{{- end }}
{{- end -}}
