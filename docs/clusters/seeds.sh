#!/bin/bash
# A training for each of eight seeds, four at a time: sbatch seeds.sh runs/seeds --epochs 500
#SBATCH --job-name=seeds
#SBATCH --array=0-7%4
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log

export OMP_NUM_THREADS=1 CHAINRULE_NUM_THREADS=1
mkdir -p "$1"
exec python train.py "$1/seed-$SLURM_ARRAY_TASK_ID" --seed "$SLURM_ARRAY_TASK_ID" "${@:2}"
