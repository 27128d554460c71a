#!/usr/bin/env bash
# What a cluster has before anything is installed: names, volumes, metrics, what is said of its objects, KEDA, and the definitions of resources that the
# charts use. Called by scripts/cluster.sh.
set -euo pipefail
# shellcheck source=scripts/cluster/lib.sh
. scripts/cluster/lib.sh
read_tools

# OBJECTS of a module, with the images that were built from it: each `name/of:tag` becomes localhost/NAME:1.
objects() {
  local folder=$1
  shift
  k kustomize "$add_ons/$folder" | sed -E "s#^( *(- )?image:) .*/([^/:]+)(:.*)?\$#\1 localhost/\3:1#" | sed "$@"
}

for name in dns volumes; do k apply --filename "scripts/cluster/manifests/$name.yaml" >/dev/null; done
# Of the versions that the script names.
crds=${WATTLINE_CRDS:-$cache/cluster-crds-$(sha256sum scripts/kubernetes-crds.sh | cut -c1-16)}
if [ ! -e "$crds" ]; then
  rm -rf "$crds.new"
  scripts/kubernetes-crds.sh "$crds.new" >/dev/null
  mv "$crds.new" "$crds"
fi
k apply --server-side --filename "$crds" >/dev/null
start_in_control_plane "$add_ons/cert-manager" --kubeconfig "$state/pki/admin.kubeconfig"
# Kubelets' certificates are their own.
objects metrics-server-objects 's/^\( *\)- --metric-resolution=15s/&\n\1- --kubelet-insecure-tls/' | k apply --filename - >/dev/null
objects kube-state-metrics-objects '' | k apply --filename - >/dev/null
objects keda-objects/default -e 's#localhost/keda:1#localhost/keda-operator:1#' -e 's#localhost/keda-metrics-apiserver:1#localhost/keda-adapter:1#' \
  -e 's#localhost/keda-admission-webhooks:1#localhost/keda-webhooks:1#' -e 's/imagePullPolicy: Always/imagePullPolicy: IfNotPresent/' |
  k apply --server-side --force-conflicts --filename - >/dev/null
k apply --filename charts/platform/namespaces.yaml >/dev/null
for name in kube-system/deployment/coredns local-path-storage/deployment/local-path-provisioner kube-system/deployment/metrics-server \
  kube-system/deployment/kube-state-metrics keda/deployment/keda-operator keda/deployment/keda-metrics-apiserver keda/deployment/keda-admission; do
  k --namespace "${name%%/*}" rollout status "${name#*/}" --timeout=240s >/dev/null || fail "${name#*/} is not ready, see '$0 k --namespace ${name%%/*} describe pods'"
done
