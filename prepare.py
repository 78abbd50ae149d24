"""Put native granules onto the grid and into the cube.

python prepare.py raw=RAW cube=CUBE domain=NAME start=2016-04-15 end=2016-06-13      the same as: ssm-net prepare ...
python prepare.py --help                                                             explains the keys
"""

from ssm_net.cli import command

main = command("prepare")

if __name__ == "__main__":
    main()
