{{- define "kafka.pods" -}}{{ include "wattline-lib.fullname" . }}-pods{{- end -}}

{{/* 16 bytes as base64 without padding; hexadecimal digits never give the two characters that Kafka's form differs in. */}}
{{- define "kafka.clusterId" -}}
{{- .Values.clusterId | default (printf "%s/%s" .Release.Namespace .Release.Name | sha256sum | trunc 16 | b64enc | trimSuffix "==") -}}
{{- end -}}

{{- define "kafka.voters" -}}
{{- $root := . -}}{{- $voters := list -}}
{{- range $node := until (int .Values.replicas) -}}
{{- $host := include "wattline-lib.inCluster" (list $root (printf "%s-%d.%s" (include "wattline-lib.fullname" $root) $node (include "kafka.pods" $root))) -}}
{{- $voters = append $voters (printf "%d@%s:9093" $node $host) -}}
{{- end -}}
{{- join "," $voters -}}
{{- end -}}

{{/* What is the same for all brokers; node.id and advertised.listeners are added when a pod starts. */}}
{{- define "kafka.properties" -}}
{{- $copies := int .Values.replicas -}}{{- $inSync := min 2 $copies -}}
{{- $properties := dict
  "process.roles" "broker,controller"
  "controller.quorum.voters" (include "kafka.voters" .)
  "listeners" "CLIENT://:9092,CONTROLLER://:9093"
  "controller.listener.names" "CONTROLLER"
  "inter.broker.listener.name" "CLIENT"
  "listener.security.protocol.map" "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT"
  "log.dirs" "/var/lib/kafka/data/logs"
  "auto.create.topics.enable" "false"
  "default.replication.factor" $copies
  "min.insync.replicas" $inSync
  "unclean.leader.election.enable" "false"
  "offsets.topic.num.partitions" 3
  "offsets.topic.replication.factor" $copies
  "transaction.state.log.num.partitions" 3
  "transaction.state.log.replication.factor" $copies
  "transaction.state.log.min.isr" $inSync
  "share.coordinator.state.topic.num.partitions" 1
  "share.coordinator.state.topic.replication.factor" $copies
  "share.coordinator.state.topic.min.isr" $inSync
  "group.initial.rebalance.delay.ms" 0
  "group.min.session.timeout.ms" 1000 -}}
{{- if (include "wattline-lib.global" . | fromYaml).tls.enabled -}}
{{- $properties = mergeOverwrite $properties (dict
  "listener.security.protocol.map" "CLIENT:SSL,CONTROLLER:SSL"
  "ssl.keystore.type" "PEM"
  "ssl.keystore.location" "/etc/wattline/tls/tls-combined.pem"
  "ssl.truststore.type" "PEM"
  "ssl.truststore.location" "/etc/wattline/tls/ca.crt") -}}
{{- end -}}
{{- range $key, $value := mergeOverwrite $properties (deepCopy .Values.properties) }}
{{ $key }}={{ $value }}
{{- end }}
{{- end -}}

{{/* What the container reads. */}}
{{- define "kafka.files" -}}
server.properties: |
  {{- include "kafka.properties" . | trim | nindent 2 }}
log4j2.properties: |
  rootLogger.level = info
  rootLogger.appenderRef.console.ref = console
  appender.console.type = Console
  appender.console.name = console
  appender.console.layout.type = PatternLayout
  appender.console.layout.pattern = %d{ISO8601} %p %m (%c{1})%n
{{- end -}}
