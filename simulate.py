"""Write a synthetic world with known 1 km truth, in the archives' own file formats.

python simulate.py raw=RAW experiment=demo          the same as: ssm-net simulate raw=RAW experiment=demo
python simulate.py --help                           explains the keys
"""

from ssm_net.cli import command

main = command("simulate")

if __name__ == "__main__":
    main()
