#!/bin/bash
# One study by four processes on one node:  sbatch tune.sh digits --out runs/digits.safetensors
# By four on each of eight, with a database:
#     sbatch --array=0-7 tune.sh digits --out runs/digits.safetensors --storage postgresql://user@host/name
#SBATCH --job-name=tune
#SBATCH --nodes=1
#SBATCH --ntasks=4
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
#SBATCH --signal=INT@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log

export OMP_NUM_THREADS=1 CHAINRULE_NUM_THREADS=1
srun --label chainrule tune "$@" --resume --force
status=$?
if [ $status -eq 130 ]; then # stopped by SIGINT, with trials left to make
    task=${SLURM_ARRAY_TASK_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
    scontrol requeue "${task:-$SLURM_JOB_ID}"
fi
exit $status
