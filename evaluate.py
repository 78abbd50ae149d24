"""Score daily mosaics against the truth of a synthetic world, stations and baselines; write a report.

python evaluate.py mosaics=OUT cube=CUBE report=REPORT [truth=RAW/truth.zarr] [stations=RAW/ismn]
python evaluate.py --help                           explains the keys; the same as: ssm-net evaluate ...
"""

from ssm_net.cli import command

main = command("evaluate")

if __name__ == "__main__":
    main()
