{{/* One broker's configuration. One queue for each shared subscription: absent members lose nothing. The password comes
     from a system property. (dict "root" . "ordinal" 0) */}}
{{- define "mqtt.artemis.broker" -}}
{{- $pods := include "wattline-lib.inCluster" (list .root (printf "%s-pods" (include "wattline-lib.fullname" .root))) -}}
{{- $name := include "wattline-lib.fullname" .root -}}
<configuration xmlns="urn:activemq">
  <core xmlns="urn:activemq:core">
    <name>{{ $name }}-{{ .ordinal }}</name>
    <persistence-enabled>true</persistence-enabled>
    <journal-type>NIO</journal-type>
    <journal-pool-files>10</journal-pool-files>
    <!-- A local volume shares its disk with others; beyond this publishers are refused. -->
    <max-disk-usage>95</max-disk-usage>
    <bindings-directory>/var/lib/artemis/data/bindings</bindings-directory>
    <journal-directory>/var/lib/artemis/data/journal</journal-directory>
    <large-messages-directory>/var/lib/artemis/data/large-messages</large-messages-directory>
    <paging-directory>/var/lib/artemis/data/paging</paging-directory>
    <cluster-user>cluster</cluster-user>
    <cluster-password>${cluster.password}</cluster-password>
    <connectors>
      {{- range $node := list 0 1 }}
      <connector name="node-{{ $node }}">tcp://{{ $name }}-{{ $node }}.{{ $pods }}:61616</connector>
      {{- end }}
    </connectors>
    <acceptors>
      <acceptor name="cluster">tcp://0.0.0.0:61616?protocols=CORE</acceptor>
      <acceptor name="mqtt">tcp://0.0.0.0:11883?protocols=MQTT;maximumPacketSize=3145728</acceptor>
    </acceptors>
    <cluster-connections>
      <cluster-connection name="pair">
        <connector-ref>node-{{ .ordinal }}</connector-ref>
        <!-- Whose node has lost its power says nothing: the other one takes over when this long nothing came. 30 and 60 s by default. -->
        <check-period>3000</check-period>
        <connection-ttl>9000</connection-ttl>
        <call-timeout>5000</call-timeout>
        <static-connectors>
          <connector-ref>node-{{ sub 1 .ordinal }}</connector-ref>
        </static-connectors>
      </cluster-connection>
    </cluster-connections>
    <ha-policy>
      <replication>
        {{- if eq (int .ordinal) 0 }}
        <primary>
          <group-name>wattline</group-name>
          <check-for-active-server>true</check-for-active-server>
        </primary>
        {{- else }}
        <backup>
          <group-name>wattline</group-name>
          <allow-failback>true</allow-failback>
        </backup>
        {{- end }}
      </replication>
    </ha-policy>
    <security-settings>
      <security-setting match="#">
        <permission type="createAddress" roles="readers,writers"/>
        <permission type="createDurableQueue" roles="readers"/>
        <permission type="deleteDurableQueue" roles="readers"/>
        <permission type="createNonDurableQueue" roles="readers"/>
        <permission type="deleteNonDurableQueue" roles="readers"/>
        <permission type="consume" roles="readers"/>
        <permission type="browse" roles="readers"/>
        <permission type="send" roles="writers"/>
      </security-setting>
      <security-setting match="wattline-canary.#">
        <permission type="createAddress" roles="readers"/>
        <permission type="createDurableQueue" roles="readers"/>
        <permission type="deleteDurableQueue" roles="readers"/>
        <permission type="createNonDurableQueue" roles="readers"/>
        <permission type="deleteNonDurableQueue" roles="readers"/>
        <permission type="consume" roles="readers"/>
        <permission type="browse" roles="readers"/>
        <permission type="send" roles="readers"/>
      </security-setting>
    </security-settings>
    <address-settings>
      <address-setting match="#">
        <max-size-bytes>67108864</max-size-bytes>
        <address-full-policy>PAGE</address-full-policy>
        <!-- For ever: an mqtt-ingest that can't reach Kafka returns what it has, again and again. -->
        <max-delivery-attempts>-1</max-delivery-attempts>
        <!-- Nor is a reading worth less because nobody took it within what its publisher set as expiry. -->
        <no-expiry>true</no-expiry>
        <auto-delete-queues>false</auto-delete-queues>
        <auto-delete-addresses>false</auto-delete-addresses>
      </address-setting>
    </address-settings>
  </core>
</configuration>
{{- end -}}

{{/* Each pod's proxy leads to whichever broker is in charge: the other one opens no port. */}}
{{- define "mqtt.artemis.proxy" -}}
{{- $name := include "wattline-lib.fullname" . -}}
global
  log stdout format raw local0 notice
  {{- if include "mqtt.tlsSecret" . }}
  ssl-load-extra-del-ext
  {{- end }}
defaults
  mode tcp
  log global
  timeout connect 5s
  timeout check 3s
  # Without it, whoever connects while the one in charge has just gone is held until he gives up: 10 s in mqtt-ingest.
  option redispatch 1
  # Above any keep-alive; MQTT's own notices the dead.
  timeout client 1h
  timeout server 1h
resolvers cluster
  parse-resolv-conf
  hold valid 5s
  # Where no answer comes the last one counts: a resolver that went with its node took the living broker out after 30 s, too.
  hold timeout 1d
  hold refused 1d
  hold other 1d
frontend mqtt
  bind :1883
  {{- if include "mqtt.tlsSecret" . }}
  bind :8883 ssl crt /etc/wattline/tls/tls.crt
  {{- end }}
  default_backend brokers
{{- if include "wattline-lib.exported" . }}
frontend metrics
  mode http
  no log
  timeout client 10s
  bind :8404
  http-request use-service prometheus-exporter if { path /metrics }
  http-request deny deny_status 404
{{- end }}
backend brokers
  # By MQTT: for a frozen broker the kernel still takes connections. As `observer`, by a CONNECT that the container makes when it
  # starts; any CONNACK is the word of one who lives. One that Artemis refuses before it looks for a user is often answered by the
  # connection's end alone (3 of 10 under load), one without a user writes a line to its log, and of a bare connection it
  # writes an error with a stack.
  option tcp-check
  tcp-check connect linger
  tcp-check send-binary "${CHECK}"
  tcp-check expect binary 2002
  tcp-check send-binary e000
  default-server check inter 1s fall 2 rise 1 resolvers cluster init-addr last,libc,none
  # Who is connected to a primary that pauses stays with it: there is no other to go to, and a connection that ends while the
  # broker subscribes it can cost what waits for all. He is sent away when the backup is in charge. Were both, it has the newer word.
  {{- range $node := list 0 1 }}
  server node-{{ $node }} {{ include "wattline-lib.inCluster" (list $ (printf "%s-%d.%s-pods" $name $node $name)) }}:11883 {{ ternary "backup" "on-marked-down shutdown-sessions on-marked-up shutdown-backup-sessions" (eq (int $node) 0) }}
  {{- end }}
{{- end -}}

{{/* What the containers read. */}}
{{- define "mqtt.artemis.files" -}}
# By the pod's ordinal: 0 is the primary, 1 the backup.
broker-0.xml: |
  {{- include "mqtt.artemis.broker" (dict "root" . "ordinal" 0) | nindent 2 }}
broker-1.xml: |
  {{- include "mqtt.artemis.broker" (dict "root" . "ordinal" 1) | nindent 2 }}
login.config: |
  activemq {
    org.apache.activemq.artemis.spi.core.security.jaas.PropertiesLoginModule required
      org.apache.activemq.jaas.properties.user="artemis-users.properties"
      org.apache.activemq.jaas.properties.role="artemis-roles.properties";
  };
artemis-roles.properties: |
  readers = ingest,observer
  writers = meters
haproxy.cfg: |
  {{- include "mqtt.artemis.proxy" . | nindent 2 }}
{{- end -}}
