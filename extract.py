"""Series of soil moisture at points, and means over areas with their uncertainty, from daily maps to a table.

python extract.py mosaics=OUT points=stations.csv to=series.csv    same as: ssm-net extract ...
python extract.py --help                                           explains the keys
"""

from ssm_net.cli import command

main = command("extract")

if __name__ == "__main__":
    main()
