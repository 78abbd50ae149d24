"""Make a record of maps day after day, on bounded disk, and add what has come: the same command every morning.

python produce.py raw=RAW cube=CUBE run=RUN mosaics=OUT domain=NAME start=2016-04-15    same as: ssm-net produce ...
python produce.py --help                                                                explains the keys
"""

from ssm_net.cli import command

main = command("produce")

if __name__ == "__main__":
    main()
