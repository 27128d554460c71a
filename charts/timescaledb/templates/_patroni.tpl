{{/* Patroni's configuration; name, addresses and passwords come from the pod's environment. */}}
{{- define "timescaledb.patroni" -}}
{{- $name := include "wattline-lib.fullname" . -}}
{{- $global := include "wattline-lib.global" . | fromYaml -}}
scope: {{ $name }}
kubernetes:
  # ConfigMaps and the label below, not the deprecated Endpoints.
  use_endpoints: false
  scope_label: wattline.io/patroni
  role_label: role
  leader_label_value: primary
  follower_label_value: replica
  labels:
    app.kubernetes.io/name: timescaledb
    app.kubernetes.io/instance: {{ .Release.Name }}
restapi:
  listen: 0.0.0.0:8008
bootstrap:
  dcs:
    ttl: {{ .Values.patroni.ttlSeconds }}
    loop_wait: {{ .Values.patroni.loopWaitSeconds }}
    retry_timeout: {{ .Values.patroni.retryTimeoutSeconds }}
    maximum_lag_on_failover: 1048576
    synchronous_mode: {{ .Values.patroni.synchronous }}
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters:
        {{- include "timescaledb.parameters" . | nindent 8 }}
        wal_level: replica
        hot_standby: "on"
        max_wal_senders: 10
        max_replication_slots: 10
  initdb:
    - encoding: UTF8
    - locale: C.UTF-8
    - data-checksums
  post_init: /etc/wattline/patroni/post-init.sh
postgresql:
  listen: 0.0.0.0:5432
  data_dir: /home/postgres/pgdata/data
  pgpass: /tmp/pgpass
  callbacks:
    on_role_change: /etc/wattline/patroni/on-role-change.py
  authentication:
    {{- /* Servers know one another by addresses, which no certificate has. */}}
    {{- $sslmode := ternary ", sslmode: verify-ca, sslrootcert: /etc/wattline/tls/ca.crt" "" $global.tls.enabled }}
    superuser: { username: {{ $global.database.owner }}{{ $sslmode }} }
    replication: { username: replication{{ $sslmode }} }
  # Those of `bootstrap` count once in the cluster's life. (Patroni keeps those that must be equal everywhere in the cluster's
  # own configuration, which a change by `patronictl edit-config` reaches.)
  parameters:
    unix_socket_directories: /var/run/postgresql
    {{- include "timescaledb.parameters" . | nindent 4 }}
    {{- include "timescaledb.tlsParameters" . | nindent 4 }}
  pg_hba:
    {{- $host := ternary "hostssl" "host" $global.tls.enabled }}
    - local all all trust
    {{- if $global.tls.enabled }}
    # The exporter beside it.
    - host all all 127.0.0.1/32 scram-sha-256
    {{- end }}
    - {{ $host }} replication replication all scram-sha-256
    - {{ $host }} all all all scram-sha-256
{{- end -}}

{{/* What the container reads. */}}
{{- define "timescaledb.files" -}}
patroni.yaml: |
  {{- include "timescaledb.patroni" . | nindent 2 }}
on-role-change.py: |
  {{- .Files.Get "files/on-role-change.py" | nindent 2 }}
# Runs once in the cluster's life, on the first primary.
post-init.sh: |
  #!/bin/sh
  set -e
  psql --dbname "$1" --set ON_ERROR_STOP=1 --command 'CREATE DATABASE "{{ (include "wattline-lib.global" . | fromYaml).database.name }}"'
{{- end -}}
