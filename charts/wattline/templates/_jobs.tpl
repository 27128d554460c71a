{{/* A pod that runs wattlinectl once. (dict "root" . "component" "migrate" "args" (list …) "kafka" true "roles" (list …)
     "restart" "Never") */}}
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
      {{- with .token }}
      - { name: token, mountPath: /etc/wattline/secrets/api, readOnly: true }
      {{- end }}
volumes:
  - { name: tmp, emptyDir: { sizeLimit: 16Mi } }
  {{- include "wattline-lib.secretVolumes" . | nindent 2 }}
  {{- with .token }}
  - { name: token, secret: { secretName: {{ . }}, items: [{ key: token, path: token }] } }
  {{- end }}
{{- end -}}

{{/* A Job before the release's own objects where what it needs is there already: at each upgrade, and at the installation
     where the server is external. At the installation of a bundled server it is an ordinary object: a post-install hook
     would begin only when all services are ready, and they are ready only when it is done.
     (dict … as above, "external" true, "secondsMax" 900) */}}
{{- define "wattline.ctlJob" -}}
{{- $root := .root -}}
{{- $bundledInstall := and $root.Release.IsInstall (not .external) -}}
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
  # At a bundled installation the server takes its time to start.
  backoffLimit: {{ ternary 20 1 $bundledInstall }}
  activeDeadlineSeconds: {{ .secondsMax }}
  template:
    metadata:
      labels:
        {{- include "wattline-lib.labels" (list $root .component) | nindent 8 }}
    spec:
      {{- include "wattline.ctlPod" (merge (dict "restart" (ternary "OnFailure" "Never" $bundledInstall)) .) | nindent 6 }}
{{- end -}}

{{- define "wattline.kafkaEnv" -}}
{{- range $key, $value := include "wattline-lib.config.kafka" . | fromYaml }}
WATTLINE__KAFKA__{{ upper $key }}: {{ $value | quote }}
{{- end }}
{{- end -}}
