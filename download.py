"""Fetch the files that prepare needs from the archives into raw/.

python download.py raw=raw 'domain.bbox=[-5.9,41,-5.3,41.5]' start=2018-04-01 end=2018-09-30 plan=true
python download.py --help                                                             explains the keys
"""

from ssm_net.cli import command

main = command("download")

if __name__ == "__main__":
    main()
