{{/* The roles of sql/roles.sql that get a password: each has its key in the database's Secret. */}}
{{- define "wattline.roles" -}}
["wattline_sink", "wattline_aggregator", "wattline_api", "wattline_grafana", "wattline_operator"]
{{- end -}}

{{/* A pod that runs wattlinectl once. (dict "root" . "component" "migrate" "args" (list …) "kafka" true "roles" (list …)
     "configMap" "…" "restart" "Never") */}}
{{- define "wattline.ctlPod" -}}
{{- $root := .root -}}
{{- $global := include "wattline-lib.global" $root | fromYaml -}}
{{ include "wattline-lib.podBase" (dict "root" $root "component" .component "serviceAccount" "default" "values" dict) }}
restartPolicy: {{ .restart }}
containers:
  - name: {{ .component }}
    image: {{ include "wattline-lib.image" (list $root $root.Values.wattlinectl.image) }}
    imagePullPolicy: {{ $global.image.pullPolicy }}
    args:
      {{- toYaml .args | nindent 6 }}
    {{- with .env }}
    env:
      {{- range $name, $value := . }}
      - { name: {{ $name }}, value: {{ $value | quote }} }
      {{- end }}
    {{- end }}
    securityContext:
      {{- include "wattline-lib.containerSecurity" . | nindent 6 }}
    resources:
      {{- toYaml $root.Values.wattlinectl.resources | nindent 6 }}
    volumeMounts:
      - { name: tmp, mountPath: /tmp }
      {{- include "wattline-lib.secretMounts" . | nindent 6 }}
      {{- if .configMap }}
      - { name: config, mountPath: /etc/wattline/config, readOnly: true }
      {{- end }}
      {{- with .token }}
      - { name: token, mountPath: /etc/wattline/secrets/api, readOnly: true }
      {{- end }}
volumes:
  - { name: tmp, emptyDir: { sizeLimit: 16Mi } }
  {{- include "wattline-lib.secretVolumes" . | nindent 2 }}
  {{- with .configMap }}
  - { name: config, configMap: { name: {{ . }} } }
  {{- end }}
  {{- with .token }}
  - { name: token, secret: { secretName: {{ . }}, items: [{ key: token, path: token }] } }
  {{- end }}
{{- end -}}

{{/* A Job before the release's own objects where what it needs is there already: at each upgrade, and at the installation
     where the server is external. At the installation of a bundled server it is an ordinary object: a post-install hook
     would begin only when all services are ready, and they are ready only when it is done.
     It waits for its server inside of one pod (patience.rs): what fails is started again after 10, 20, 40, … 300 s, while
     everything waits. A pod that fails all the same stays, with its log; `OnFailure` would delete it with the last try.
     (dict … as above, "external" true, "secondsMax" 900) */}}
{{- define "wattline.ctlJob" -}}
{{- $root := .root -}}
{{- $bundledInstall := and $root.Release.IsInstall (not .external) -}}
{{- /* At an upgrade: as long as a failover may take. */}}
{{- $wait := ternary (int $root.Values.wattlinectl.installSecondsMax) 60 $bundledInstall -}}
{{- $env := merge (dict "WATTLINECTL_SERVER_WAIT_S" (toString $wait)) .env }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ include "wattline-lib.peer" (list $root .component) }}{{ if $bundledInstall }}-install{{ end }}
  labels:
    {{- include "wattline-lib.labels" (list $root .component) | nindent 4 }}
  {{- if not $bundledInstall }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: {{ .weight | quote }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
  {{- end }}
spec:
  backoffLimit: {{ ternary 3 1 $bundledInstall }}
  activeDeadlineSeconds: {{ add .secondsMax $wait }}
  template:
    metadata:
      labels:
        {{- include "wattline-lib.labels" (list $root .component) | nindent 8 }}
    spec:
      {{- include "wattline.ctlPod" (merge (dict "restart" "Never" "env" $env) .) | nindent 6 }}
{{- end -}}

{{/* How wattlinectl reaches the database as a role. (list . "wattline_operator" "wattline_operator"): role, key of its password */}}
{{- define "wattline.databaseEnv" -}}
{{- $database := (include "wattline-lib.global" (index . 0) | fromYaml).database -}}
WATTLINE__DATABASE__URL: {{ include "wattline-lib.database.url" (list (index . 0) (index . 1)) | quote }}
WATTLINE__DATABASE__PASSWORD_FILE: /etc/wattline/secrets/database/{{ index . 2 }}
{{- if $database.caSecret }}
WATTLINE__DATABASE__TLS_ROOT_FILE: /etc/wattline/ca/database/ca.crt
{{- end }}
{{- end -}}

{{- define "wattline.kafkaEnv" -}}
{{- range $key, $value := include "wattline-lib.config.kafka" . | fromYaml }}
WATTLINE__KAFKA__{{ upper $key }}: {{ $value | quote }}
{{- end }}
{{- end -}}
