#!/bin/bash
# One process: sbatch one.sh runs/digits --epochs 500
#SBATCH --job-name=digits
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log

export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK CHAINRULE_NUM_THREADS=$SLURM_CPUS_PER_TASK
echo "start $((${SLURM_RESTART_COUNT:-0} + 1)) on $(hostname)"
mkdir -p "$(dirname "$1")"
exec python train.py "$@"
