"""Write one mosaic a day, from a trained network or a baseline.

python infer.py cube=CUBE run=RUN mosaics=OUT       the same as: ssm-net infer cube=CUBE run=RUN mosaics=OUT
python infer.py --help                              explains the keys
"""

from ssm_net.cli import command

main = command("infer")

if __name__ == "__main__":
    main()
