#!/usr/bin/env bash
# An authority and all certificates and kubeconfigs of a cluster, made for its lifetime: pki.sh FOLDER API_ADDRESS
set -euo pipefail
folder=$1 api=$2
umask 077
mkdir -p "$folder"
cd "$folder"

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
certificate() {
  local name=$1 subject=$2 extensions=$3
  key "$name"
  openssl req -new -key "$name.key" -subj "$subject" |
    openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile <(printf '%s\n' "$extensions") -out "$name.crt" 2>/dev/null
}
client() { certificate "$1" "$2" extendedKeyUsage=clientAuth; }
kubeconfig() {
  client "$1" "$2"
  cat >"$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: cluster
contexts: [{ name: cluster, context: { cluster: cluster, user: user } }]
clusters: [{ name: cluster, cluster: { server: "https://$api:6443", certificate-authority-data: $(base64 -w0 <ca.crt) } }]
users: [{ name: user, user: { client-certificate-data: $(base64 -w0 <"$1.crt"), client-key-data: $(base64 -w0 <"$1.key") } }]
YAML
}

key ca
# Python 3.13 and others refuse an authority that does not say what its key is for.
openssl req -x509 -new -key ca.key -subj /CN=cluster -days 30 -addext keyUsage=critical,keyCertSign,cRLSign -out ca.crt
openssl genrsa -out accounts.key 2048 2>/dev/null
certificate apiserver /CN=kube-apiserver "extendedKeyUsage=serverAuth
subjectAltName=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:10.96.0.1,IP:127.0.0.1,IP:$api"
client kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
client front-proxy /CN=front-proxy-client
kubeconfig admin /O=system:masters/CN=admin
kubeconfig controllers /CN=system:kube-controller-manager
kubeconfig scheduler /CN=system:kube-scheduler
kubeconfig proxy /CN=system:kube-proxy
for i in 1 2 3 4 5 6 7 8 9; do kubeconfig "node$i" "/O=system:nodes/CN=system:node:node$i"; done
