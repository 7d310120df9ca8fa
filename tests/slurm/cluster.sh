#!/usr/bin/env bash
# A real SLURM of one node on this machine, in a folder of its own: nothing of the system's is used or changed.
#
#   tests/slurm/cluster.sh start FOLDER    then: source FOLDER/environment
#   tests/slurm/cluster.sh stop FOLDER
#
# Needs Debian's packages slurm-wlm and munge, and root (slurmd starts jobs as their user).  Two GPUs are pretended
# (/dev/null and /dev/zero are their device files), so that profiles/slurm is used as it is.  There is no accounting database: SLURM answers
# for finished jobs from the controller's memory (squeue, MinJobAge).
set -euo pipefail
action=${1:?start or stop} folder=$(realpath -m "${2:?folder}")
PATH=$PATH:/usr/sbin:/sbin

stop() {
  for name in slurmd slurmctld munged; do
    [ -f "$folder/$name.pid" ] || continue
    pid=$(cat "$folder/$name.pid")
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  done
}

ports() {  # two free ones, both held until they are known to differ
  python3 -c 'import socket; a, b = socket.create_server(("", 0)), socket.create_server(("", 0))
print(a.getsockname()[1], b.getsockname()[1])'
}

start() {
  for command in munged slurmctld slurmd sbatch srun squeue; do
    command -v "$command" >/dev/null || { echo "no $command here: apt-get install slurm-wlm munge" >&2; exit 3; }
  done
  mkdir -p "$folder"/{state,spool,log,munge}
  chmod 755 "$folder"
  chmod 700 "$folder/munge"
  (umask 077; head -c 128 /dev/urandom >"$folder/munge/key")
  munged --force --key-file="$folder/munge/key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/log/munged.log" --seed-file="$folder/munge/seed"
  host=$(hostname -s)
  cpus=$(nproc)
  read -r controller daemon < <(ports)
  memory=$(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
  cat >"$folder/slurm.conf" <<CONF
ClusterName=lossbook
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller
SlurmdPort=$daemon
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1,bf_interval=1
GresTypes=gpu
MpiDefault=none
ReturnToService=2
MinJobAge=3600
KillWait=2
PropagatePrioProcess=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
  printf "AutoDetect=off\nNodeName=$host Name=gpu File=/dev/null,/dev/zero\n" >"$folder/gres.conf"
  # The plugin starts srun without SLURM's variables, so SLURM_CONF too; a cluster has its file where srun looks for it.
  mkdir -p "$folder/bin"
  printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$folder/slurm.conf" "$(command -v srun)" >"$folder/bin/srun"
  chmod +x "$folder/bin/srun"
  printf 'export SLURM_CONF=%s PATH=%s:$PATH\n' "$folder/slurm.conf" "$folder/bin" >"$folder/environment"
  export SLURM_CONF=$folder/slurm.conf
  trap stop ERR
  slurmctld
  slurmd
  for _ in $(seq 60); do
    [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ] && return
    sleep 0.5
  done
  echo "the node did not become idle; the ends of the logs:" >&2
  tail -n 20 "$folder"/log/*.log >&2
  stop
  exit 1
}

"$action"
