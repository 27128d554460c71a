{{/* The values under `global`, over their defaults, so that each chart also renders alone. charts/wattline/values.yaml
     says what they mean; a check compares the two. */}}
{{- define "wattline-lib.globalDefaults" -}}
environment: dev
clusterDomain: cluster.local
image:
  registry: ""
  tag: ""
  mirror: ""
  pullPolicy: IfNotPresent
  pullSecrets: []
secrets:
  generate: true
tls:
  enabled: false
kafka:
  brokers: ""
  security: plaintext
  saslMechanism: SCRAM-SHA-512
  username: ""
  existingSecret: ""
  caSecret: ""
  replicationFactor: 1
database:
  host: ""
  port: 5432
  members: 1
  name: wattline
  owner: postgres
  sslMode: disable
  existingSecret: ""
  caSecret: ""
mqtt:
  url: ""
  username: ingest
  existingSecret: ""
  caSecret: ""
topologySpread: ScheduleAnyway
storageClass: ""
priorityClassName: ""
networkPolicy:
  enabled: false
  monitoringNamespace: monitoring
  ingressNamespace: ingress
monitoring:
  enabled: false
  labels: {}
  interval: 30s
{{- end -}}

{{/* Where `tls.enabled`, the bundled servers are reached by TLS and their certificates are the release's authority's. */}}
{{- define "wattline-lib.global" -}}
{{- $defaults := include "wattline-lib.globalDefaults" . | fromYaml -}}
{{- $global := mergeOverwrite $defaults (deepCopy (.Values.global | default dict)) -}}
{{- if $global.tls.enabled -}}
{{- $authority := include "wattline-lib.authority" . -}}
{{- if not $global.kafka.brokers }}{{ $_ := mergeOverwrite $global.kafka (dict "security" "tls" "caSecret" $authority) }}{{ end -}}
{{- if not $global.database.host }}{{ $_ := mergeOverwrite $global.database (dict "sslMode" "verify-full" "caSecret" $authority) }}{{ end -}}
{{- if not $global.mqtt.url }}{{ $_ := mergeOverwrite $global.mqtt (dict "caSecret" $authority) }}{{ end -}}
{{- end -}}
{{- toYaml $global -}}
{{- end -}}

{{/* A component's whole name in the cluster's DNS, which is found from each namespace and by resolvers that don't use
     resolv.conf's search list, such as HAProxy's. (list . "kafka") */}}
{{- define "wattline-lib.host" -}}
{{- $root := index . 0 -}}
{{- include "wattline-lib.inCluster" (list $root (include "wattline-lib.peer" .)) -}}
{{- end -}}

{{/* The whole name of a name in the release's namespace. (list . "wattline-kafka-0.wattline-kafka-pods") */}}
{{- define "wattline-lib.inCluster" -}}
{{- $root := index . 0 -}}
{{- printf "%s.%s.svc.%s" (index . 1) $root.Release.Namespace (include "wattline-lib.global" $root | fromYaml).clusterDomain -}}
{{- end -}}

{{/* Issuer and Secret of the release's own authority. */}}
{{- define "wattline-lib.authority" -}}{{ include "wattline-lib.peer" (list . "authority") }}{{- end -}}

{{- define "wattline-lib.kafka.brokers" -}}
{{- $global := include "wattline-lib.global" . | fromYaml -}}
{{- $global.kafka.brokers | default (printf "%s:9092" (include "wattline-lib.host" (list . "kafka"))) -}}
{{- end -}}

{{/* The bundled servers by their own names, where any may be the primary. */}}
{{- define "wattline-lib.database.members" -}}
{{- $root := . -}}
{{- $database := (include "wattline-lib.global" . | fromYaml).database -}}
{{- $name := include "wattline-lib.peer" (list . "timescaledb") -}}
{{- $members := list -}}
{{- if and (not $database.host) (gt (int $database.members) 1) -}}
{{- range $ordinal := until (int $database.members) -}}
{{- $members = append $members (include "wattline-lib.inCluster" (list $root (printf "%s-%d.%s-pods" $name $ordinal $name))) -}}
{{- end -}}
{{- end -}}
{{- join "," $members -}}
{{- end -}}

{{/* postgres://role@host:port/database. (list . "wattline_sink")
     Of several servers the Service leads to the primary. Behind it they stand by name: for the second in which it still leads to
     one that is gone, and where its own name is not found. To a role whose transactions are read-only by default no server
     allows writes: query-api takes any of them, and reads from a replica what it has applied. */}}
{{- define "wattline-lib.database.url" -}}
{{- $root := index . 0 -}}
{{- $database := (include "wattline-lib.global" $root | fromYaml).database -}}
{{- $hosts := list ($database.host | default (include "wattline-lib.host" (list $root "timescaledb"))) -}}
{{- $members := include "wattline-lib.database.members" $root -}}
{{- if $members }}{{ $hosts = concat $hosts (splitList "," $members) }}{{ end -}}
{{- $places := list -}}
{{- range $hosts }}{{ $places = append $places (printf "%s:%d" . (int $database.port)) }}{{ end -}}
{{- $url := printf "postgres://%s@%s/%s?sslmode=%s" (index . 1) (join "," $places) $database.name $database.sslMode -}}
{{- if and $members (ne (index . 1) "wattline_api") }}{{ $url = printf "%s&target_session_attrs=read-write" $url }}{{ end -}}
{{- $url -}}
{{- end -}}

{{- define "wattline-lib.mqtt.url" -}}
{{- $global := include "wattline-lib.global" . | fromYaml -}}
{{- $bundled := ternary "mqtts://%s:8883" "mqtt://%s:1883" $global.tls.enabled -}}
{{- $global.mqtt.url | default (printf $bundled (include "wattline-lib.host" (list . "mqtt"))) -}}
{{- end -}}

{{/* The name of a Secret: the one that exists, else the one that the umbrella chart generates. Where nothing is
     generated, the existing one must be named. (list . "database" "global.database.existingSecret" $existing) */}}
{{- define "wattline-lib.secretName" -}}
{{- $root := index . 0 -}}{{- $existing := index . 3 -}}
{{- $global := include "wattline-lib.global" $root | fromYaml -}}
{{- if $existing -}}{{ $existing }}
{{- else if $global.secrets.generate -}}{{ include "wattline-lib.peer" (list $root (index . 1)) }}
{{- else -}}{{ fail (printf "%s is missing: name a Secret that exists (charts/wattline/README.md lists its keys), or set global.secrets.generate outside of prod" (index . 2)) }}
{{- end -}}
{{- end -}}

{{- define "wattline-lib.database.secret" -}}
{{- $global := include "wattline-lib.global" . | fromYaml -}}
{{- include "wattline-lib.secretName" (list . "database" "global.database.existingSecret" $global.database.existingSecret) -}}
{{- end -}}

{{- define "wattline-lib.mqtt.secret" -}}
{{- $global := include "wattline-lib.global" . | fromYaml -}}
{{- include "wattline-lib.secretName" (list . "mqtt" "global.mqtt.existingSecret" $global.mqtt.existingSecret) -}}
{{- end -}}
