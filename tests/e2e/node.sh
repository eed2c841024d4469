#!/usr/bin/env bash
# A throw-away single-node Kubernetes with a real kubelet, all inside its own mount, pid and
# network namespaces: ending one process ends every container, mount and interface with it.
#   node.sh up DIR TAR...     start afresh (DIR is wiped) with these images; writes DIR/admin.kubeconfig
#   node.sh load DIR TAR...   import more images (docker-archive or OCI tars); use imagePullPolicy IfNotPresent
#   node.sh exec DIR CMD...   run a command inside
#   node.sh down DIR          stop, remove its cgroups; DIR's logs stay
# The node is 10.244.N.1, this machine as the pods see it is 10.244.N.254 (N: $KN_INDEX); pods, services and
# the API are reachable from here, the pods reach nothing beyond this machine. NetworkPolicies are not enforced.
# Root only. Programs on PATH: those of programs.py, and Debian's containerd runc containernetworking-plugins nftables.
set -euo pipefail
SELF=$(realpath "$0")
cmd=${1:?up|load|exec|down} D=$(realpath -m "${2:?directory}"); shift 2
N=${KN_INDEX:-0}                      # several clusters at once: give each its own index
NET=10.244.$N NODE=$NET.1 HOST=$NET.254 SVC=10.96.$N PORT=6443 IF=kn$N CG=kn$N
[ -e /sys/fs/cgroup/cgroup.controllers ] && hier=(/sys/fs/cgroup) ||   # cgroup v2: not tried
  hier=(/sys/fs/cgroup/{cpu,cpuacct,cpuset,memory,devices,freezer,blkio,pids,systemd,unified})
ours() { tr '\0' ' ' <"/proc/$(cat "$D/$1")/cmdline" | grep -qF "_init $D "; } 2>/dev/null   # a pid may be another's by now
inside() { nsenter -t "$(cat "$D/init.pid")" -m -p -n "$@"; }

certs() (
  mkdir -p "$D/pki"; cd "$D/pki"; [ -f ca.crt ] && return
  openssl genrsa -out sa.key 2048 2>/dev/null
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=kn-ca \
    -keyout ca.key -out ca.crt 2>/dev/null
  issue() { # name subject san
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" \
      -extfile <(printf 'extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=%s\n' "${3:-DNS:$1}") 2>/dev/null; }
  issue apiserver /CN=kube-apiserver "IP:$SVC.1,IP:$NODE,IP:127.0.0.1,DNS:kubernetes.default.svc,DNS:kubernetes"
  issue admin /O=system:masters/CN=admin
  issue kubelet /O=system:nodes/CN=system:node:node0 "IP:$NODE,DNS:node0"
  issue controller-manager /CN=system:kube-controller-manager
  issue scheduler /CN=system:kube-scheduler
  issue proxy /CN=system:kube-proxy
  issue dns /CN=dns
  for u in admin kubelet controller-manager scheduler proxy dns; do cat >"$D/$u.kubeconfig" <<K
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://$NODE:$PORT", certificate-authority: $D/pki/ca.crt}}]
users: [{name: u, user: {client-certificate: $D/pki/$u.crt, client-key: $D/pki/$u.key}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
K
  done; )

configs() {
  mkdir -p "$D"/{etc,cni,log,kubelet,manifests,pod-logs,containerd,run}
  cat >"$D/etc/containerd.toml" <<K
version = 2
root = "$D/containerd/root"
state = "$D/containerd/state"
[grpc]
  address = "$D/run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true     # no CAP_SYS_RESOURCE here: a score cannot be lowered
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$D/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
K
  cat >"$D/cni/10-bridge.conflist" <<K
{"cniVersion": "1.0.0", "name": "$IF", "plugins": [{"type": "bridge", "bridge": "$IF", "isGateway": true,
 "hairpinMode": true, "ipam": {"type": "host-local", "dataDir": "$D/cni/ipam", "routes": [{"dst": "0.0.0.0/0"}],
 "ranges": [[{"subnet": "$NET.0/24", "rangeStart": "$NET.2", "rangeEnd": "$NET.250", "gateway": "$NODE"}]]}}]}
K
  cat >"$D/etc/kubelet.yaml" <<K
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$D/run/containerd.sock
staticPodPath: $D/manifests
podLogsDir: $D/pod-logs
address: $NODE
tlsCertFile: $D/pki/kubelet.crt
tlsPrivateKeyFile: $D/pki/kubelet.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $D/pki/ca.crt}}
authorization: {mode: Webhook}
clusterDomain: cluster.local
clusterDNS: [$NODE]
cgroupDriver: cgroupfs
cgroupRoot: /$CG
failCgroupV1: false
failSwapOn: false
makeIPTablesUtilChains: false
oomScoreAdj: 0
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi, nodefs.available: "1%", imagefs.available: "1%"}
K
  cat >"$D/etc/Corefile" <<K
.:53 {
  bind $NODE
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig $D/dns.kubeconfig
  }
}
K
  cat >"$D/etc/proxy.yaml" <<K
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $D/proxy.kubeconfig}
hostnameOverride: node0
bindAddress: $NODE
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
clusterCIDR: $NET.0/24
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
K
}

init() { # pid 1 of the namespaces
  cd "$D"
  mount --make-rshared /
  mkdir -p /run/containerd /var/log/containers "$D"/{run/containerd,varlog,fakesys}
  mount --bind "$D/run/containerd" /run/containerd
  mount --bind "$D/varlog" /var/log/containers
  # the kubelet would write these machine-wide settings: show it what it wants to see instead
  while read -r p v; do
    echo "$v" >"fakesys/${p//\//_}"; mount --bind "fakesys/${p//\//_}" "/proc/sys/$p"
  done <<'K'
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
K
  ip link set lo up
  ip link add "$IF" type bridge
  ip link set "$IF" address "$(printf '02:00:0a:f4:%02x:01' "$N")"   # else it changes with the pods, and is not found
  ip addr add "$NODE/24" dev "$IF"; ip link set "$IF" up
  echo 1 >/proc/sys/net/ipv4/ip_forward
  touch ready-for-link; until [ -e linked ]; do sleep 0.05; done
  ip link set "${IF}n" master "$IF" up
  declare -A name
  run() { local n=$1; shift; "$@" >"log/$n.log" 2>&1 & name[$!]=$n; }
  run containerd containerd -c etc/containerd.toml
  run etcd etcd --data-dir etcd --unsafe-no-fsync --log-level error
  run apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 --bind-address "$NODE" --secure-port $PORT \
    --advertise-address "$NODE" --service-cluster-ip-range "$SVC.0/24" --authorization-mode Node,RBAC \
    --enable-admission-plugins NodeRestriction --client-ca-file pki/ca.crt \
    --tls-cert-file pki/apiserver.crt --tls-private-key-file pki/apiserver.key \
    --kubelet-preferred-address-types InternalIP --kubelet-certificate-authority pki/ca.crt --kubelet-client-certificate pki/admin.crt \
    --kubelet-client-key pki/admin.key --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file pki/sa.key --service-account-signing-key-file pki/sa.key
  until ctr -a run/containerd.sock --connect-timeout 1s version >/dev/null 2>&1; do sleep 0.1; done
  run kubelet kubelet --config etc/kubelet.yaml --kubeconfig kubelet.kubeconfig --root-dir "$D/kubelet" \
    --cert-dir "$D/kubelet/pki" --hostname-override node0 --node-ip "$NODE"
  until [ "$(curl -s --cacert pki/ca.crt --cert pki/admin.crt --key pki/admin.key "https://$NODE:$PORT/readyz")" = ok ]; do sleep 0.2; done
  run controller-manager kube-controller-manager --kubeconfig controller-manager.kubeconfig \
    --authentication-kubeconfig controller-manager.kubeconfig --authorization-kubeconfig controller-manager.kubeconfig \
    --use-service-account-credentials --service-account-private-key-file pki/sa.key --root-ca-file pki/ca.crt \
    --bind-address 127.0.0.1 --leader-elect=false
  run scheduler kube-scheduler --kubeconfig scheduler.kubeconfig --bind-address 127.0.0.1 --leader-elect=false \
    --authentication-kubeconfig scheduler.kubeconfig --authorization-kubeconfig scheduler.kubeconfig
  run proxy kube-proxy --config etc/proxy.yaml
  run dns coredns -conf etc/Corefile
  wait -n -p ended || true   # none should: when one does, end them all
  echo "ended: ${name[$ended]}"; exit 1
}

case $cmd in
up)
  ! ours init.pid || { echo "$D is up" >&2; exit 1; }
  [ ! -e "$D" ] || [ -e "$D/pki/ca.crt" ] || rmdir "$D"    # only what an earlier up has made
  rm -rf "$D"; mkdir -p "$D"; certs; configs
  for h in "${hier[@]}"; do [ ! -d "$h" ] || mkdir -p "$h/$CG"; done
  if [ ${#hier[@]} = 1 ]; then for c in "$hier"{,/$CG}/cgroup.subtree_control; do echo "+cpu +cpuset +memory +pids" >"$c"; done
  else for f in cpus mems; do cat /sys/fs/cgroup/cpuset/cpuset.$f >/sys/fs/cgroup/cpuset/$CG/cpuset.$f; done; fi
  KN_INDEX=$N setsid unshare --mount --pid --net --fork --mount-proc --kill-child \
    "$SELF" _init "$D" </dev/null >"$D/init.log" 2>&1 &
  echo $! >"$D/unshare.pid"
  until [ -e "$D/ready-for-link" ]; do kill -0 "$(cat "$D/unshare.pid")"; sleep 0.05; done
  cat /proc/"$(cat "$D/unshare.pid")"/task/*/children | tr -d ' \n' >"$D/init.pid"
  ip link add "${IF}h" type veth peer name "${IF}n" netns "$(cat "$D/init.pid")"
  ip addr add "$HOST/24" dev "${IF}h"; ip link set "${IF}h" up; ip route add "$SVC.0/24" via "$NODE"
  touch "$D/linked"
  "$SELF" _wait "$D" "$@" || { tail -n 3 "$D"/init.log "$D"/log/*.log >&2; exit 1; } ;;
_init) init ;;
_wait) # the kubelet and the programs' roles, the images, and the account pods need
  for _ in $(seq 100); do ctr -a "$D/run/containerd.sock" --connect-timeout 1s version >/dev/null 2>&1 && break; sleep 0.1; done
  [ $# = 0 ] || "$SELF" load "$D" "$@" & load=$!
  export KUBECONFIG=$D/admin.kubeconfig
  for _ in $(seq 300); do kubectl get --raw /readyz >/dev/null 2>&1 && break; sleep 0.2; done
  kubectl create clusterrolebinding kube-proxy --clusterrole system:node-proxier --user system:kube-proxy >/dev/null 2>&1 || true
  kubectl create clusterrole dns --verb list,watch --resource services,namespaces,endpointslices.discovery.k8s.io >/dev/null 2>&1 || true
  kubectl create clusterrolebinding dns --clusterrole dns --user dns >/dev/null 2>&1 || true
  for _ in $(seq 300); do kubectl get node node0 >/dev/null 2>&1 && break; sleep 0.2; done
  kubectl wait --for=condition=Ready node/node0 --timeout=120s >/dev/null
  for _ in $(seq 150); do kubectl -n default get sa default >/dev/null 2>&1 && break; sleep 0.2; done
  kubectl -n default get sa default >/dev/null
  wait $load ;;
load) for t in "$@"; do inside ctr -a "$D/run/containerd.sock" -n k8s.io images import "$(realpath "$t")" >/dev/null; done ;;
exec) inside "$@" ;;
down) # pid 1 takes every process, container, mount and interface of its namespaces along
  ! ours init.pid || kill -9 "$(cat "$D/init.pid")"
  for _ in $(seq 50); do ours unshare.pid || break; sleep 0.1; done
  for _ in $(seq 50); do
    left=
    for h in "${hier[@]}"; do
      [ ! -d "$h/$CG" ] || { find "$h/$CG" -depth -type d -exec rmdir {} \; 2>/dev/null; [ ! -d "$h/$CG" ] || left=1; }
    done
    [ "$left" ] || break; sleep 0.1
  done
  ip link del "${IF}h" 2>/dev/null || true ;;   # gone with the namespace already
esac
