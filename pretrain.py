"""Train the networks that other trainings start from, on the 1 km truth of simulated worlds.

python pretrain.py worlds=WORLDS run=PRIOR          the same as: ssm-net pretrain worlds=WORLDS run=PRIOR
python pretrain.py --help                           explains the keys
"""

from ssm_net.cli import command

main = command("pretrain")

if __name__ == "__main__":
    main()
