"""Train networks on the coarse observations of a cube.

python train.py cube=CUBE run=RUN                   the same as: ssm-net train cube=CUBE run=RUN
python train.py --help                              explains the keys
"""

from ssm_net.cli import command

main = command("train")

if __name__ == "__main__":
    main()
