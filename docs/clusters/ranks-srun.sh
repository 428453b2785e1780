#!/bin/bash
# Ranks on two nodes, started by srun: sbatch ranks-srun.sh runs/digits --epochs 500
#SBATCH --job-name=digits-ranks
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
#SBATCH --signal=USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log

export OMP_NUM_THREADS=1
mkdir -p "$(dirname "$1")"
exec srun --mpi=pmix --kill-on-bad-exit=1 python train.py --ranks "$@"
