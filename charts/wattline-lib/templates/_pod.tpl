{{/* What every pod has: the restricted profile, no token, spread. (dict "root" . "component" "x" "values" .Values) */}}
{{- define "wattline-lib.podBase" -}}
{{- $global := include "wattline-lib.global" .root | fromYaml -}}
{{- $values := .values -}}
serviceAccountName: {{ .serviceAccount | default (include "wattline-lib.fullname" .root) }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
# Names are whole: asked for as they are, once and not with each suffix of the search list before. A resolver that is gone
# with its node costs two seconds: a repeated question has the same ports, so it goes to the same one, while a new try asks anew.
dnsConfig: { options: [{ name: ndots, value: "2" }, { name: timeout, value: "1" }, { name: attempts, value: "2" }] }
securityContext:
  {{- include "wattline-lib.podSecurity" (.user | default 65532) | nindent 2 }}
{{- with $global.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $global.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: {{ $global.topologySpread }}
    labelSelector:
      matchLabels:
        {{- include "wattline-lib.selectorLabels" (list .root .component) | nindent 8 }}
    {{- if .perRevision }}
    # Without it the pods of the revision before count too, and an update leaves the replicas 2/1/0.
    matchLabelKeys: [pod-template-hash]
    {{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Pod security for a user id. */}}
{{- define "wattline-lib.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{/* Container security, the same everywhere. */}}
{{- define "wattline-lib.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- define "wattline-lib.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "wattline-lib.fullname" .root }}
  labels:
    {{- include "wattline-lib.labels" (list .root .component) | nindent 4 }}
automountServiceAccountToken: false
{{- end -}}

{{/* At most one at a time leaves, where there are several. (dict "root" . "component" "x" "stateless" true) */}}
{{- define "wattline-lib.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "wattline-lib.fullname" .root }}
  labels:
    {{- include "wattline-lib.labels" (list .root .component) | nindent 4 }}
spec:
  maxUnavailable: 1
  {{- if .stateless }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  {{- end }}
  selector:
    matchLabels:
      {{- include "wattline-lib.selectorLabels" (list .root .component) | nindent 6 }}
{{- end -}}

{{/* How Prometheus reads a Service's port. (dict "root" . "component" "x" "port" "admin") */}}
{{- define "wattline-lib.serviceMonitor" -}}
{{- $monitoring := (include "wattline-lib.global" .root | fromYaml).monitoring -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "wattline-lib.fullname" .root }}
  labels:
    {{- include "wattline-lib.labels" (list .root .component) | nindent 4 }}
    {{- with $monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "wattline-lib.selectorLabels" (list .root .component) | nindent 6 }}
      wattline.io/metrics: "true"
  endpoints:
    - port: {{ .port }}
      interval: {{ $monitoring.interval }}
      # All of it: an exporter whose server hangs answers late, and that is when it matters.
      scrapeTimeout: {{ $monitoring.interval }}
{{- end -}}
