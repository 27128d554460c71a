{{- define "timescaledb.exporter" -}}
{{- $global := include "wattline-lib.global" . | fromYaml -}}
{{- $env := printf "- { name: DATA_SOURCE_URI, value: \"127.0.0.1:5432/%s?sslmode=disable\" }\n- { name: DATA_SOURCE_USER, value: %q }\n- { name: DATA_SOURCE_PASS_FILE, value: /etc/wattline/secrets/exporter/owner }" $global.database.name $global.database.owner -}}
{{- include "wattline-lib.exporter" (dict "root" . "port" 9187 "env" $env "mounts" "- { name: exporter-secret, mountPath: /etc/wattline/secrets/exporter, readOnly: true }") -}}
{{- end -}}

{{- define "timescaledb.exporterVolume" -}}
- { name: exporter-secret, secret: { secretName: {{ include "wattline-lib.database.secret" . }}, items: [{ key: owner, path: owner }] } }
{{- end -}}
