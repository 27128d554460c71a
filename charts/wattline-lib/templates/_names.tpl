{{/* The name of a chart's objects: release and chart. 52 characters at most, since pods and Jobs add to it. */}}
{{- define "wattline-lib.fullname" -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of another component's objects in the same release: (list . "kafka"). */}}
{{- define "wattline-lib.peer" -}}
{{- printf "%s-%s" (index . 0).Release.Name (index . 1) | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* What selects a component's pods; never changes over a release's life. (list . "component") */}}
{{- define "wattline-lib.selectorLabels" -}}
app.kubernetes.io/name: {{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
{{- end -}}

{{/* All labels of an object. (list . "component") */}}
{{- define "wattline-lib.labels" -}}
{{- $root := index . 0 -}}
{{ include "wattline-lib.selectorLabels" . }}
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/part-of: wattline
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{/* An image of ours: the tag falls back to the chart's appVersion, a digest goes before it. (list . .Values.image) */}}
{{- define "wattline-lib.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- $global := include "wattline-lib.global" $root | fromYaml -}}
{{- $name := $image.repository -}}
{{- with $global.image.registry }}{{ $name = printf "%s/%s" . $image.repository }}{{ end -}}
{{- $tag := coalesce $image.tag $global.image.tag $root.Chart.AppVersion -}}
{{- if $image.digest }}{{ printf "%s@%s" $name $image.digest }}{{ else }}{{ printf "%s:%s" $name $tag }}{{ end -}}
{{- end -}}

{{/* A public image: its own registry and tag, mirrored by global.image.mirror. (list . .Values.image) */}}
{{- define "wattline-lib.publicImage" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- $global := include "wattline-lib.global" $root | fromYaml -}}
{{- $name := $image.repository -}}
{{- with $global.image.mirror }}{{ $name = printf "%s/%s" . $image.repository }}{{ end -}}
{{- if $image.digest }}{{ printf "%s@%s" $name $image.digest }}{{ else }}{{ printf "%s:%s" $name $image.tag }}{{ end -}}
{{- end -}}
