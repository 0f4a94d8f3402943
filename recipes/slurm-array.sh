#!/bin/bash
# A rollout by an array of jobs on Slurm, each the same command, which joins in; the words are those of `cfgraph rollout`:
#
#   source ENVIRONMENT/bin/activate       # where cfgraph is installed, on a file system that the nodes share
#   export NEO4J_URI=bolt://HOST:7687 NEO4J_PASSWORD_FILE=$HOME/.neo4j-password     # a file that they share, too, yours alone
#   sbatch recipes/slurm-array.sh koch --predictor rule --from-depth 3 --to-depth 8 --as grown
#
# More jobs: sbatch --array=1-64. NEO4J_PASSWORD itself is not handed on: Slurm would keep it with each job.
#SBATCH --job-name=cfgraph
#SBATCH --array=1-8
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=1G
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --output=cfgraph-%A-%a.log
#SBATCH --export=HOME,PATH,LD_LIBRARY_PATH,VIRTUAL_ENV,NEO4J_URI,NEO4J_USERNAME,NEO4J_DATABASE,NEO4J_PASSWORD_FILE
set -euo pipefail
: "${NEO4J_URI:?set NEO4J_URI to a server that the nodes reach}"
: "${NEO4J_PASSWORD_FILE:?set NEO4J_PASSWORD_FILE to a file that the nodes share}"
if [ $# -eq 0 ]; then
  echo "expected the words of a rollout behind the script's name: koch --predictor rule --to-depth 8" >&2
  exit 2
fi
echo "task ${SLURM_ARRAY_TASK_ID:-1} of job ${SLURM_ARRAY_JOB_ID:-${SLURM_JOB_ID:-0}} on $(hostname)"
exec srun cfgraph rollout "$@"
