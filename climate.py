"""Monthly means, day-of-year climatology, anomalies and percentiles (drought) of daily maps, as CF files.

python climate.py mosaics=OUT out=CLIMATE    same as: ssm-net climate ...
python climate.py --help                     explains the keys
"""

from ssm_net.cli import command

main = command("climate")

if __name__ == "__main__":
    main()
