"""Slurm here: programs that answer in Slurm's place, as far as submitit asks, and run what they are given on this machine.

``sbatch`` notes the environment that it would keep with a job, ``srun`` runs the command behind its options, ``sacct`` tells of
every job that it is done.
"""

import os
import sys
from pathlib import Path

SBATCH = """#!{python}
import json, os, subprocess, sys
folder = {folder!r}
number = str(1000 + len(os.listdir(folder + "/jobs")))
open(folder + "/jobs/" + number, "w").write(json.dumps(dict(os.environ)))
told = dict(SLURM_JOB_ID=number, SLURM_JOBID=number, SLURM_NTASKS="1", SLURM_NNODES="1", SLURM_JOB_NUM_NODES="1",
            SLURM_NODEID="0", SLURM_PROCID="0", SLURM_LOCALID="0", SLURM_NODELIST="here", SLURM_JOB_NODELIST="here")
script = sys.argv[-1]
subprocess.Popen(["bash", script], env=dict(os.environ) | told, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL, start_new_session=True)
print("Submitted batch job " + number)
"""
SRUN = """#!{python}
import os, sys
words = sys.argv[1:]
command = words[words.index({python!r}):]
os.execv(command[0], command)
"""
SACCT = """#!{python}
import sys
print("JobID|State|NodeList")
for number in sys.argv[sys.argv.index("-j") + 1 :: 2]:
    print(number + "|COMPLETED|here")
"""


def install(folder: Path) -> dict[str, str]:
    """Put the programs into a folder; the environment in which they are found."""
    (folder / "jobs").mkdir(parents=True)
    for name, text in (("sbatch", SBATCH), ("srun", SRUN), ("sacct", SACCT), ("scancel", "#!{python}\n")):
        (folder / name).write_text(text.format(python=sys.executable, folder=str(folder)))
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def environments(folder: Path) -> list[str]:
    """What Slurm would have kept of the environments in which jobs were submitted."""
    return [file.read_text() for file in sorted((folder / "jobs").iterdir())]
