#!/bin/bash
# Ranks on two nodes, started by mpiexec: sbatch ranks-mpiexec.sh runs/digits --epochs 500
#SBATCH --job-name=digits-ranks
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log

export OMP_NUM_THREADS=1
mkdir -p "$(dirname "$1")"
exec mpiexec python train.py --ranks "$@"
